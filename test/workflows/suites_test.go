package workflows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// suites are those of the end-to-end tests, as scripts/test.sh knows them.
var suites = []string{"core", "long", "thorough", "data", "engines", "peers", "cost"}

// inPipeline are the suites that .ci/run and GitHub run, by the Make target that does.
var inPipeline = map[string]string{"core": "test", "long": "test-long"}

// endToEnd are the tests with the tag e2e, and the suites that each of them names.
func endToEnd(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "test/*/*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(source), "\n"); !strings.HasPrefix(first, "//go:build e2e") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" {
				continue
			}
			name := f.Name.Name
			if _, twice := found[name]; twice {
				t.Errorf("two tests are called %s: one could not be run without the other", name)
			}
			found[name] = []string{}
			if f.Doc == nil {
				continue
			}
			for _, line := range f.Doc.List {
				if suite, ok := strings.CutPrefix(line.Text, "//suite:"); ok {
					found[name] = append(found[name], suite)
				}
			}
		}
	}
	return found
}

// A test that no suite runs is one that was skipped, and nobody reads about it.
func TestEachEndToEndTestIsInOneSuite(t *testing.T) {
	want := map[string][]string{}
	for name, said := range endToEnd(t) {
		if len(said) != 1 || !slices.Contains(suites, said[0]) {
			t.Errorf("%s names the suites %q: write one of %q above it, like //suite:core for what make test runs,\n"+
				"or //suite:long for what takes more than about a minute and is no first question after a change", name, said, suites)
			continue
		}
		want[said[0]] = append(want[said[0]], name)
	}
	for _, suite := range suites {
		cmd := exec.Command(filepath.Join(root, "scripts/test.sh"), "--list", suite)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", cmd, err)
		}
		got := strings.Fields(string(out))
		slices.Sort(got)
		slices.Sort(want[suite])
		if len(got) == 0 || !slices.Equal(got, want[suite]) {
			t.Errorf("%s: the tests are\n%q, and the script runs\n%q", suite, want[suite], got)
		}
	}
}

// What is in no pipeline is for figures, and is run by hand.
func TestThePipelineRunsTheSuites(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range slices.Sorted(maps.Keys(inPipeline)) {
		target := inPipeline[suite]
		runs := regexp.MustCompile(`(?m)^` + target + `: .*\n\t@scripts/test\.sh (.* )?` + suite + `( .*)?$`)
		if !runs.Match(makefile) {
			t.Errorf("make %s does not run the suite %s", target, suite)
		}
		if !regexp.MustCompile(`(?m)^make ` + target + `( |$)`).Match(pipeline) {
			t.Errorf(".ci/run does not run make %s", target)
		}
		if !slices.Contains(load(t)["test.yml"].commands(), "make "+target) {
			t.Errorf("test.yml does not run make %s", target)
		}
	}
}

// What docs/security.md says proves it is what `make test-security` runs.
func TestTheSecuritySuiteIsWhatTheDocumentSays(t *testing.T) {
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	known, want := endToEnd(t), map[string]bool{}
	for _, named := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(read("docs/security.md"), -1) {
		// make test has the stacks of dev and prod.
		if _, is := known[named[1]]; is && named[1] != "TestDevStack" {
			want[named[1]] = true
		}
	}
	runs := regexp.MustCompile(`(?m)go_tests security .*\\\n +-run '\^\((.*)\)\$'`).FindStringSubmatch(read("scripts/test.sh"))
	if runs == nil {
		t.Fatal("scripts/test.sh has no suite security")
	}
	if got, want := slices.Sorted(slices.Values(strings.Split(runs[1], "|"))), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Errorf("scripts/test.sh security runs\n%q, and docs/security.md names\n%q", got, want)
	}
	if !regexp.MustCompile(`(?m)^test-security: .*\n\t@scripts/test\.sh security$`).MatchString(read("Makefile")) {
		t.Error("make test-security does not run the suite security")
	}
}
