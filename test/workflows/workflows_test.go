// Package workflows checks what GitHub runs: that the workflows are made of Make
// targets, and, with the tag e2e, that the targets of a pull request work.
// Whether GitHub would take the files is asked of actionlint, in scripts/lint.sh.
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

const root = "../.."

type workflow struct {
	text        string
	On          map[string]any
	Permissions map[string]string
	Concurrency map[string]any
	Jobs        map[string]job
}

type job struct {
	Permissions    map[string]string
	TimeoutMinutes int `yaml:"timeout-minutes"`
	Steps          []step
}

type step struct {
	Name, Uses, Run string
	With            map[string]any
	Env             map[string]string
}

// notMake are the only commands that are no Make target, by their workflow: what
// brings the comment to where it is read.
var notMake = map[string][]string{
	"preview.yml": {
		"go run ./cmd/stack post-comment build/preview-comment.md",
		`cat build/preview-comment.md >>"$GITHUB_STEP_SUMMARY"`,
	},
}

func load(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.y*ml"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]workflow{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w := workflow{text: string(data)}
		if err := yaml.Unmarshal(data, &w); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = w
	}
	return all
}

// commands are what the workflow's steps run.
func (w workflow) commands() []string {
	var all []string
	for _, j := range w.Jobs {
		for _, s := range j.Steps {
			if s.Run != "" {
				all = append(all, strings.TrimSpace(s.Run))
			}
		}
	}
	return all
}

func targets(t *testing.T) []string {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^([a-z0-9-]+):([^=]|$)`).FindAllSubmatch(makefile, -1) {
		names = append(names, string(match[1]))
	}
	return names
}

func TestStepsAreMakeTargets(t *testing.T) {
	known := targets(t)
	for file, w := range load(t) {
		for _, command := range w.commands() {
			if slices.Contains(notMake[file], command) {
				continue
			}
			words := strings.Fields(command)
			if strings.ContainsAny(command, "\n;&|<>$`=") || words[0] != "make" || len(words) < 2 {
				t.Errorf("%s: %q is more than Make targets", file, command)
				continue
			}
			for _, target := range words[1:] {
				if !slices.Contains(known, target) {
					t.Errorf("%s: the Makefile has no target %q", file, target)
				}
			}
		}
	}
}

// The workflows that there must be, and what they must run, in this order.
func TestWhatRunsWhen(t *testing.T) {
	all := load(t)
	for file, want := range map[string]struct {
		event    string
		commands []string
	}{
		"test.yml":    {"push", []string{"make test", "make test-long"}},
		"preview.yml": {"pull_request", []string{"make setup", "make swarm", "make preview-comment"}},
	} {
		w := all[file]
		if _, ok := w.On[want.event]; !ok || len(w.On) != 1 {
			t.Errorf("%s: runs on %v, want %s alone", file, w.On, want.event)
		}
		made := slices.DeleteFunc(w.commands(), func(c string) bool { return !strings.HasPrefix(c, "make ") })
		if !slices.Equal(made, want.commands) {
			t.Errorf("%s: runs %q, want %q", file, made, want.commands)
		}
		if want.event == "push" && w.On["push"] != nil {
			t.Errorf("%s: runs on some pushes only: %v", file, w.On["push"])
		}
	}
}

func TestWorkflowsAreBounded(t *testing.T) {
	pinned := regexp.MustCompile(`^actions/[a-z-]+@v[0-9]+$`)
	may := map[string]map[string]string{
		"test.yml":    {"contents": "read"},
		"preview.yml": {"contents": "read", "pull-requests": "write"},
	}
	for file, w := range load(t) {
		for key, value := range w.Permissions {
			if may[file][key] != value {
				t.Errorf("%s: has the permission %s: %s", file, key, value)
			}
		}
		if len(w.Permissions) == 0 {
			t.Errorf("%s: no permissions, so it has GitHub's default ones", file)
		}
		if w.Concurrency["group"] == nil {
			t.Errorf("%s: no concurrency group", file)
		}
		if _, ok := w.On["pull_request_target"]; ok {
			t.Errorf("%s: runs a stranger's code with the repository's token", file)
		}
		if strings.Contains(w.text, "secrets") {
			t.Errorf("%s: uses secrets", file)
		}
		for name, j := range w.Jobs {
			if j.TimeoutMinutes == 0 {
				t.Errorf("%s: the job %s has no timeout", file, name)
			}
			if j.Permissions != nil {
				t.Errorf("%s: the job %s has permissions of its own", file, name)
			}
			for _, s := range j.Steps {
				if s.Uses != "" && !pinned.MatchString(s.Uses) {
					t.Errorf("%s: %s is not one of GitHub's own, with its major version", file, s.Uses)
				}
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: the checkout leaves the token on the disk", file)
				}
			}
		}
	}
}
