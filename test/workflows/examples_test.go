package workflows

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// examples are pipelines for others than GitHub, with what each has to run.
var examples = map[string][]string{
	"gitlab-ci.yml":    {"make test", "make preview-comment", "make remote", "make prod", "make verify", "make preview-state", "make rollback", "make nightly", "make remote-forget"},
	"gitea-deploy.yml": {"make test", "make remote", "make prod", "make verify", "make remote-forget"},
	"Jenkinsfile":      {"make test", "make remote", "make prod", "make verify", "make rollback", "make remote-forget"},
}

// scripts are all commands in a YAML document, of GitLab's form and of GitHub's.
func scripts(node *yaml.Node) (all []string) {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i].Value, node.Content[i+1]
		switch {
		case (key == "script" || key == "before_script" || key == "after_script") && value.Kind == yaml.SequenceNode:
			for _, command := range value.Content {
				all = append(all, command.Value)
			}
		case key == "run" && value.Kind == yaml.ScalarNode:
			all = append(all, value.Value)
		default:
			all = append(all, scripts(value)...)
		}
	}
	if node.Kind == yaml.SequenceNode || node.Kind == yaml.DocumentNode {
		for _, inner := range node.Content {
			all = append(all, scripts(inner)...)
		}
	}
	return all
}

func commandsOf(t *testing.T, name string, text []byte) []string {
	t.Helper()
	if name == "Jenkinsfile" {
		var all []string
		for _, found := range regexp.MustCompile(`\bsh ['"]([^'"]*)['"]`).FindAllSubmatch(text, -1) {
			all = append(all, string(found[1]))
		}
		if n := strings.Count(string(text), "sh '"); n != len(all) {
			t.Errorf("%s: %d commands of %d are read", name, len(all), n)
		}
		if strings.Count(string(text), "{") != strings.Count(string(text), "}") {
			t.Errorf("%s: its braces do not match", name)
		}
		return all
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return scripts(&document)
}

func TestExamplesForOthersRunMakeTargets(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs/ci/*"))
	if err != nil || len(files) != len(examples) {
		t.Fatalf("%q, %v, and the examples are %v", files, err, examples)
	}
	known := targets(t)
	for _, file := range files {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		commands := commandsOf(t, name, text)
		for _, command := range commands {
			words := strings.Fields(command)
			if len(words) < 2 || words[0] != "make" {
				t.Errorf("%s: %q is no Make target", name, command)
				continue
			}
			for _, target := range words[1:] {
				if !slices.Contains(known, target) {
					t.Errorf("%s: the Makefile has no target %q", name, target)
				}
			}
		}
		for _, want := range examples[name] {
			if !slices.Contains(commands, want) {
				t.Errorf("%s does not run %q, but %q", name, want, commands)
			}
		}
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "uses: ") && !versioned.MatchString(line) {
				t.Errorf("%s: %q has no commit and version", name, strings.TrimSpace(line))
			}
		}
	}
}
