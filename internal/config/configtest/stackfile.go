// Package configtest gives tests a stack file as Pulumi would give it to the
// program.
package configtest

import (
	"encoding/json"
	"os"
	"testing"

	"gopkg.in/yaml.v3"
)

// Tree is a stack file's configuration as it is written.
func Tree(t testing.TB, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return file.Config
}

// Raw is a tree in the form of PULUMI_CONFIG: objects as JSON, strings bare.
func Raw(t testing.TB, tree map[string]any) map[string]string {
	t.Helper()
	raw := map[string]string{}
	for key, value := range tree {
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			text = string(encoded)
		}
		raw[key] = text
	}
	return raw
}
