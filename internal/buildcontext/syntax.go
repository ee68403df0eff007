package buildcontext

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// directive is a parser directive: a comment before anything else in a Dockerfile.
var directive = regexp.MustCompile(`^#\s*([a-zA-Z]+)\s*=\s*(\S+)`)

// Syntax is the image that the Dockerfile's first lines name as what reads it (`#
// syntax=docker/dockerfile:1`): the engine fetches that from a registry before it
// begins. Empty: none, or it can't be told.
func (b Build) Syntax() string {
	text, err := os.ReadFile(filepath.Join(b.Context, b.Dockerfile))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		found := directive.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			return ""
		}
		if strings.EqualFold(found[1], "syntax") {
			return found[2]
		}
	}
	return ""
}
