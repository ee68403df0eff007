// Package workflows checks what GitHub runs: that the workflows are made of Make
// targets, and, with the tag e2e, that the targets of a pull request work.
// Whether GitHub would take the files is asked of actionlint, in scripts/lint.sh.
package workflows

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
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
	If, Uses       string
	Environment    string
	Env            map[string]string
	Permissions    map[string]string
	TimeoutMinutes int `yaml:"timeout-minutes"`
	Steps          []step
}

type step struct {
	Name, Uses, Run string
	If              string
	With            map[string]any
	Env             map[string]string
}

// notMake are the only commands that are no Make target, by their workflow: what
// brings the comment to where it is read.
var notMake = map[string][]string{
	"comment.yml": {
		`go run ./cmd/stack post-comment "$RUNNER_TEMP/preview/preview-comment.md"`,
	},
	"nightly.yml": {
		`go run ./cmd/stack post-issue "$RUNNER_TEMP/nightly/nightly.md"`,
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
		w, err := parse(string(data))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = w
	}
	return all
}

func parse(text string) (workflow, error) {
	w := workflow{text: text}
	err := yaml.Unmarshal([]byte(text), &w)
	return w, err
}

// commands are what the workflow's steps run.
func (w workflow) commands() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
		for _, s := range w.Jobs[name].Steps {
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
		events   []string
		commands []string
	}{
		"test.yml":         {[]string{"pull_request", "push"}, []string{"make test", "make test-long"}},
		"preview.yml":      {[]string{"pull_request"}, []string{"make setup", "make swarm", "make preview-fetch", "make preview-comment"}},
		"comment.yml":      {[]string{"workflow_run"}, nil},
		"deploy.yml":       {[]string{"workflow_dispatch", "workflow_run"}, []string{"make remote", "make up", "make verify", "make preview-state", "make remote-forget"}},
		"rollback.yml":     {[]string{"workflow_dispatch"}, []string{"make remote", "make engine pulumi", "make rollback", "make forward", "make verify", "make preview-state", "make remote-forget"}},
		"release.yml":      {[]string{"push"}, []string{"make pulumi release-check"}},
		"environments.yml": {[]string{"pull_request", "schedule"}, []string{"make remote", "make env-expire", "make env-new up", "make remote-forget", "make remote", "make env-expire", "make remote-forget"}},
		"nightly.yml":      {[]string{"schedule", "workflow_dispatch"}, []string{"make remote", "make engine pulumi scanner", "make nightly", "make remote-forget"}},
	} {
		w := all[file]
		if got := slices.Sorted(maps.Keys(w.On)); !slices.Equal(got, want.events) {
			t.Errorf("%s: runs on %v, want %v", file, got, want.events)
		}
		made := slices.DeleteFunc(w.commands(), func(c string) bool { return !strings.HasPrefix(c, "make ") })
		if !slices.Equal(made, want.commands) {
			t.Errorf("%s: runs %q, want %q", file, made, want.commands)
		}
		for _, event := range []string{"push", "pull_request"} {
			if w.On[event] != nil && file != "environments.yml" && file != "release.yml" { // which is about labels, and ends
				t.Errorf("%s: runs on some of %s only: %v", file, event, w.On[event])
			}
		}
	}
	// Each commit once: of this repository as it is pushed, of a fork as it is offered.
	const each = "github.event_name == 'push' || github.event.pull_request.head.repo.full_name != github.repository"
	if got := all["test.yml"].Jobs["test"].If; got != each {
		t.Errorf("test.yml tests where %s, want %s", got, each)
	}
	if got := all["comment.yml"].On["workflow_run"]; !reflect.DeepEqual(got, map[string]any{"workflows": []any{"preview"}, "types": []any{"completed"}}) {
		t.Errorf("comment.yml runs after %v", got)
	}
}

// What is deployed is the main branch's newest commit, after its tests, one at a time and to its end.
func TestWhatIsDeployed(t *testing.T) {
	deploy := load(t)["deploy.yml"]
	if got := deploy.On["workflow_run"]; !reflect.DeepEqual(got, map[string]any{"workflows": []any{"test"}, "types": []any{"completed"}}) {
		t.Errorf("deploy.yml runs after %v", got)
	}
	const when = "vars.DEPLOY_HOST != '' && github.ref_name == github.event.repository.default_branch && " +
		"(github.event_name == 'workflow_dispatch' || github.event.workflow_run.event == 'push' && " +
		"github.event.workflow_run.conclusion == 'success' && github.event.workflow_run.head_sha == github.sha)"
	if got := strings.Join(strings.Fields(deploy.Jobs["deploy"].If), " "); got != when {
		t.Errorf("deploy.yml deploys where\n%s, want\n%s", got, when)
	}
	for _, file := range []string{"deploy.yml", "rollback.yml", "nightly.yml"} {
		w := load(t)[file]
		if w.Concurrency["cancel-in-progress"] != false {
			t.Errorf("%s: a run is cancelled in its midst", file)
		}
		for name, j := range w.Jobs {
			if j.Environment == "" {
				continue
			}
			last := j.Steps[len(j.Steps)-1]
			if last.Run != "make remote-forget" || last.If != "always()" {
				t.Errorf("%s/%s: the key stays on the runner: its last step is %+v", file, name, last)
			}
			if j.Env["DOCKER_HOST"] != "ssh://${{ vars.DEPLOY_HOST }}" {
				t.Errorf("%s/%s: DOCKER_HOST is %q", file, name, j.Env["DOCKER_HOST"])
			}
		}
	}
}

func TestWorkflowsAreBounded(t *testing.T) {
	for file, w := range load(t) {
		for _, fault := range w.faults(file) {
			t.Errorf("%s: %s", file, fault)
		}
	}
}

// may are the permissions that jobs have.
var may = map[string]map[string]string{
	"test.yml/test":                {"contents": "read"},
	"preview.yml/preview":          {"actions": "read", "contents": "read"},
	"comment.yml/comment":          {"actions": "read", "contents": "read", "pull-requests": "write"},
	"deploy.yml/deploy":            {"contents": "read"},
	"rollback.yml/rollback":        {"contents": "read"},
	"nightly.yml/look":             {"contents": "read"},
	"release.yml/agree":            {"contents": "read"},
	"environments.yml/environment": {"contents": "read"},
	"environments.yml/expiry":      {"contents": "read"},
	"nightly.yml/tell":             {"actions": "read", "contents": "read", "issues": "write"},
}

var (
	pinned = regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40}$`)
	// secrets are what a step has of an environment's.
	withSecret = regexp.MustCompile(`^\$\{\{ secrets\.[A-Z_]+ \}\}$`)
	// environments are those that guard them, by who is asked first, or which branches may.
	environments = []string{"production", "nightly", previews}
	// versioned are the lines that say to people what a commit is.
	versioned = regexp.MustCompile(`(?m)^ +(?:- )?uses: (\S+) # v[0-9]+\.[0-9]+\.[0-9]+$`)
)

// faults are what a workflow may do that none of ours has to.
func (w workflow) faults(file string) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if w.Permissions == nil || len(w.Permissions) > 0 {
		add("it does not begin with permissions: {}, so that jobs have more than they say")
	}
	if w.Concurrency["group"] == nil {
		add("no concurrency group")
	}
	if _, ok := w.On["pull_request_target"]; ok {
		add("pull_request_target: the repository's token is beside what a stranger wrote")
	}
	given := 0
	var named []string
	for _, line := range versioned.FindAllStringSubmatch(w.text, -1) {
		named = append(named, line[1])
	}
	for name, j := range w.Jobs {
		for _, fault := range j.faults(w.ofStrangers()) {
			add("the job %s: %s", name, fault)
		}
		if !maps.Equal(j.Permissions, may[file+"/"+name]) || len(j.Permissions) == 0 {
			add("the job %s has the permissions %v, and may have %v", name, j.Permissions, may[file+"/"+name])
		}
		given += j.secrets()
		for _, s := range j.Steps {
			if s.Uses != "" && !slices.Contains(named, s.Uses) {
				add("no version beside %s", s.Uses)
			}
		}
	}
	if n := strings.Count(w.text, "secrets."); n != given || strings.Contains(w.text, "secrets[") || strings.Contains(w.text, "toJSON(secrets") || strings.Contains(w.text, "secrets: inherit") {
		add("it uses secrets elsewhere than in the environment of a step that runs a command: %d of %d", given, n)
	}
	return all
}

// previews is the one environment whose secrets a pull request's program has: nothing of prod's.
const previews = "previews"

// ofMembers is true for a job that runs for no fork, and for nothing that a member has not labelled, or
// for no pull request at all.
func (j job) ofMembers() bool {
	when := strings.Join(strings.Fields(j.If), " ")
	return when == "vars.PREVIEW_HOST != '' && github.event_name == 'schedule'" ||
		when == "vars.PREVIEW_HOST != '' && github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository && "+
			"(contains(github.event.pull_request.labels.*.name, 'preview') || github.event.label.name == 'preview')"
}

// secrets counts what the job's own commands have.
func (j job) secrets() (count int) {
	for _, s := range j.Steps {
		for _, value := range s.Env {
			if s.Run != "" && withSecret.MatchString(value) {
				count++
			}
		}
	}
	return count
}

// ofStrangers is true where a checkout is what a pull request has, if nothing else is said.
func (w workflow) ofStrangers() bool { _, is := w.On["pull_request"]; return is }

func (j job) faults(ofStrangers bool) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	writes := slices.Contains(slices.Collect(maps.Values(j.Permissions)), "write")
	trusted := j.secrets() > 0
	switch {
	case trusted && j.Environment == "":
		add("it has secrets, and no environment that guards them")
	case j.Environment != "" && !slices.Contains(environments, j.Environment):
		add("the environment %s is not known", j.Environment)
	case trusted && writes:
		add("it has secrets, and may write")
	case trusted && ofStrangers && j.Environment == previews && !j.ofMembers():
		add("it has the previews' secrets for whoever makes a pull request")
	case trusted && ofStrangers && j.Environment != previews:
		add("it has secrets, and runs what a pull request has")
	}
	if j.TimeoutMinutes == 0 {
		add("no timeout")
	}
	if j.Uses != "" {
		add("it is somebody else's workflow")
	}
	for _, s := range j.Steps {
		action, _, _ := strings.Cut(s.Uses, "@")
		if s.Uses != "" && !pinned.MatchString(s.Uses) {
			add("%s is not one of GitHub's own by its commit", s.Uses)
		}
		if strings.Contains(s.Run, "${{") {
			add("%q: what somebody called a branch would become a command", s.Run)
		}
		switch {
		case action == "actions/checkout" && s.With["persist-credentials"] != false:
			add("the checkout leaves the token on the disk")
		case action == "actions/checkout" && (s.With["ref"] != nil || s.With["repository"] != nil):
			add("it checks out another commit than GitHub runs it for")
		}
		if !writes && !trusted {
			continue
		}
		switch {
		case ofStrangers && writes:
			add("it may write, and runs what a pull request has")
		case action == "actions/cache", action == "actions/setup-go" && s.With["cache"] != false:
			add("it may write or has secrets, and takes from a cache what others left there")
		case action == "actions/download-artifact" && !strings.HasPrefix(fmt.Sprint(s.With["path"]), "${{ runner.temp }}/"):
			add("it may write or has secrets, and puts what a pull request made among the files that it runs")
		}
	}
	return all
}

// What is found is looked for in workflows that have it.
func TestWhatIsWrongWithAWorkflowIsFound(t *testing.T) {
	all := load(t)
	for _, test := range []struct{ file, old, new, want string }{
		{"test.yml", "permissions: {}\n\n", "", "begin with permissions: {}"},
		{"test.yml", "permissions: {}\n", "permissions: {packages: write}\n", "begin with permissions: {}"},
		{"test.yml", "    permissions:\n      contents: read\n", "", "the job test has the permissions map[]"},
		{"test.yml", "      contents: read\n", "      contents: write\n", "it may write, and runs what a pull request has"},
		{"test.yml", "  pull_request:", "  pull_request_target:", "pull_request_target: "},
		{"test.yml", "concurrency:", "concurrent:", "no concurrency group"},
		{"test.yml", "    timeout-minutes: 90\n", "", "no timeout"},
		{"test.yml", "@d23441a48e516b6c34aea4fa41551a30e30af803", "@v6", "actions/checkout@v6 is not one of GitHub's own by its commit"},
		{"test.yml", "@d23441a48e516b6c34aea4fa41551a30e30af803", "@d23441a", "not one of GitHub's own by its commit"},
		{"test.yml", "actions/cache@", "somebody/cache@", "not one of GitHub's own"},
		{"test.yml", " # v6.1.0", "", "no version beside actions/checkout@"},
		{"test.yml", " # v6.1.0", " # v6", "no version beside actions/checkout@"},
		{"test.yml", "          persist-credentials: false\n", "          persist-credentials: true\n", "leaves the token on the disk"},
		{"test.yml", "run: make test\n", "run: make test ${{ github.head_ref }}\n", "would become a command"},
		{"test.yml", "    steps:\n", "    uses: somebody/x/.github/workflows/x.yml@v1\n    steps:\n", "somebody else's workflow"},
		{"test.yml", "run: make test\n", "run: make test\n        env: {T: \"${{ secrets.T }}\"}\n", "no environment that guards them"},
		{"environments.yml", "github.event.pull_request.head.repo.full_name == github.repository &&", "", "for whoever makes a pull request"},
		{"environments.yml", "    environment: previews\n", "    environment: production\n", "it has secrets, and runs what a pull request has"},
		{"deploy.yml", "    environment: production\n", "", "no environment that guards them"},
		{"deploy.yml", "    environment: production\n", "    environment: staging\n", "the environment staging is not known"},
		{"deploy.yml", "    env: # of", "    env:\n      KEY: ${{ secrets.DEPLOY_SSH_KEY }} # of", "uses secrets elsewhere"},
		{"deploy.yml", "  workflow_dispatch:\n", "  workflow_dispatch:\n  pull_request:\n", "it has secrets, and runs what a pull request has"},
		{"deploy.yml", "      contents: read\n", "      contents: write\n", "it has secrets, and may write"},
		{"deploy.yml", "          cache: false\n", "", "takes from a cache"},
		{"nightly.yml", "          path: ${{ runner.temp }}/nightly\n", "          path: build\n", "among the files that it runs"},
		{"preview.yml", "      contents: read\n", "      contents: read\n      pull-requests: write\n", "it may write, and runs what a pull request has"},
		{"comment.yml", "          persist-credentials: false\n", "          persist-credentials: false\n          ref: ${{ github.event.workflow_run.head_sha }}\n", "another commit than GitHub runs it for"},
		{"comment.yml", "          persist-credentials: false\n", "          persist-credentials: false\n          repository: a/b\n", "another commit than GitHub runs it for"},
		{"comment.yml", "          cache: false\n", "", "takes from a cache"},
		{"comment.yml", "${{ runner.temp }}/preview\n", "build\n", "among the files that it runs"},
		{"comment.yml", "      pull-requests: write", "      packages: write\n      pull-requests: write", "has the permissions"},
	} {
		broken := strings.Replace(all[test.file].text, test.old, test.new, 1)
		if broken == all[test.file].text {
			t.Errorf("%s has no %q", test.file, test.old)
			continue
		}
		w, err := parse(broken)
		if err != nil {
			t.Errorf("%s with %q: %v", test.file, test.new, err)
			continue
		}
		if found := strings.Join(w.faults(test.file), "\n"); !strings.Contains(found, test.want) {
			t.Errorf("%s with %q in place of %q: found %q, want %q", test.file, test.new, test.old, found, test.want)
		}
	}
}
