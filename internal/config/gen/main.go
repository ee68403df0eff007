// Command gen writes docs/configuration.md and docs/stack.schema.json. It runs in the folder of package
// config: go generate ./internal/config
package main

import (
	"fmt"
	"os"

	"tarot-platform/internal/config/reference"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen PAGE SCHEMA")
		os.Exit(2)
	}
	page, err := reference.Page(".")
	if err == nil {
		err = os.WriteFile(os.Args[1], []byte(page), 0o644)
	}
	var schema []byte
	if err == nil {
		schema, err = reference.Schema(".")
	}
	if err == nil {
		err = os.WriteFile(os.Args[2], schema, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
