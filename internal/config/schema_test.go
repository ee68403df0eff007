package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"tarot-platform/internal/config"
	"tarot-platform/internal/config/reference"
)

func TestSchemaIsWhatTheSourceSays(t *testing.T) {
	want, err := reference.Schema(".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/stack.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/stack.schema.json is stale: go generate ./internal/config")
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	made, err := jsonschema.NewCompiler().Compile("../../docs/stack.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// validated is what the schema says of a stack file.
func validated(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestSchemaTakesTheStackFiles(t *testing.T) {
	schema := compiled(t)
	var files []string
	for _, pattern := range []string{"../../Pulumi.*.yaml", "../compose/testdata/*/Pulumi.*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) < 2 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validated(t, schema, text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !strings.HasPrefix(string(text), config.SchemaLine+"\n") {
			t.Errorf("%s does not begin with %s", file, config.SchemaLine)
		}
	}
}

func TestSchemaOfAStackFile(t *testing.T) {
	schema := compiled(t)
	for text, good := range map[string]bool{
		"tarot:maintenance: true":        true,
		`tarot:maintenance: "true"`:      true, // as `pulumi config set` writes it
		`tarot:maintenance: "yes"`:       false,
		"tarot:runtime: swarm":           true,
		"tarot:runtime: kubernetes":      false,
		"tarot:backend: {replicas: 5}":   true,
		"tarot:backend: {replicas: 0}":   false,
		"tarot:backend: {replicas: 101}": false,
		`tarot:backend: {replicas: "5"}`: false,
		"tarot:backend: {replica: 5}":    false,
		"tarot:backend: {cpus: 0.5, memory: 512m, stopGrace: 1m30s, tmpfs: [/x]}": true,
		"tarot:backend: {cpus: 0}":                              false,
		"tarot:backend: {memory: 512}":                          false, // of what?
		"tarot:backend: {memory: 512mm}":                        false,
		"tarot:backend: {stopGrace: 90}":                        false,
		"tarot:backend: {tmpfs: /x}":                            false,
		"tarot:backend: {environment: {A: b, N: 1, T: true}}":   true,
		"tarot:backend: {environment: {A: [b]}}":                false,
		"tarot:backend: {logLevel: \"\"}":                       true,
		"tarot:backend: {logLevel: trace}":                      false,
		"tarot:backend: {smoke: {body: '{}'}}":                  true,
		"tarot:services: {worker: {command: [x], replicas: 2}}": true,
		"tarot:services: {worker: {comand: [x]}}":               false,
		"tarot:nginx: {allow: {/admin: [10.0.0.0/8]}}":          true,
		"tarot:backend:\n    - replicas":                        false,
		"tarot:backnd: {}":                                      false,
		"tarot:adminPassword: {secure: v1:abc}":                 true,
		"tarot:adminPassword: hunter2":                          false, // in clear
		"tarot:SENTRY_DSN: {secure: v1:abc}":                    true,
		"tarot:SENTRY_DSN: https://key@sentry.example":          false,
		"docker:host: ssh://root@engine":                        true,
		"tar: x":                                                true,
		"tarots:x: y":                                           true,
	} {
		if err := validated(t, schema, []byte("config:\n  "+text+"\n")); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
