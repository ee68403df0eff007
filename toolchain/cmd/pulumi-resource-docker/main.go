// Pulumi-resource-docker is a Docker provider plugin from package registries alone: the upstream Terraform provider, as
// the Go module that it is, behind Pulumi's own bridge. See ../../README.md for how it differs from the official one.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
)

// version is that of the SDK to which the plugin answers.
const version = "4.11.2"

func main() {
	info := provider()
	// Generated at every start (0.2 s), so that there is no generated file to keep in step.
	sink := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: "never"})
	spec, err := tfgen.GenerateSchema(info, sink)
	if err != nil {
		fail(err)
	}
	schema, err := json.Marshal(spec)
	if err != nil {
		fail(err)
	}
	tfbridge.Main(info.Name, version, info, schema)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pulumi-resource-docker: generating the schema:", err)
	os.Exit(1)
}
