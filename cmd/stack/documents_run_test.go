package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tarot-platform/internal/documents"
)

// ranBy is who runs each command that the documents name: a test, whose words are looked for, or a step of the
// pipeline (.ci/run). A target of make that runs commands of stack is as good as these.
var ranBy = map[string]string{
	"make clear-pending":             "TestMakeUp",
	"make dev":                       "TestMakeDev",
	"make docs":                      "TestThePicturesAreThoseOfTheStacks",
	"make engine":                    "make setup",
	"make base-images":               "make setup",
	"make prod":                      "TestMakeUp",
	"make setup":                     "make setup",
	"make swarm":                     "TestWhatRunsWhen",
	"make up":                        "TestMakeUp",
	"setup/base-images.sh":           "make setup",
	"setup/endpoints.sh":             "TestMakeDev",
	"setup/engine.sh":                "make setup",
	"setup/pulumi.sh":                "make setup",
	"setup/scanner.sh":               "TestTheScannerIsBuiltOnce",
	"setup/stack.sh":                 "make setup",
	"setup/state.sh":                 "TestMakeDev",
	"setup/swarm.sh":                 "TestTheSwarmIsOffered",
	"make remote":                    "TestDeployOfAPipeline",
	"make remote-forget":             "TestWhatRunsWhen",
	"stack preview-state":            "TestDeployOfAPipeline",
	"stack preview-fetch":            "TestPipelinesCommandsAreTyped",
	"stack nightly":                  "TestPipelinesCommandsAreTyped",
	"stack version":                  "TestPipelinesCommandsAreTyped",
	"stack release-check":            "TestPipelinesCommandsAreTyped",
	"stack env new":                  "TestStackForATime",
	"stack env list":                 "TestStackForATime",
	"stack env expire":               "TestStackForATime",
	"stack preflight":                "TestPreflight",
	"stack drift":                    "TestDriftOnContainers",
	"stack doctor":                   "TestDoctorOnContainers",
	"stack audit":                    "TestAuditOnContainers",
	"stack backup adopt":             "TestBackupsOnContainers",
	"stack backup key":               "TestBackupsOnContainers",
	"stack backup verify":            "TestBackupsOnContainers",
	"stack completion bash":          "TestTheShellCompletes",
	"stack completion fish":          "TestTheShellCompletes",
	"stack completion zsh":           "TestTheShellCompletes",
	"stack console":                  "TestEverydayOnContainers",
	"stack database move":            "TestDatabaseMove",
	"stack database upgrade":         "TestDatabaseUpgrade",
	"stack db":                       "TestEverydayOnContainers",
	"stack destroy":                  "TestDevStack",
	"stack exec":                     "TestEverydayOnContainers",
	"stack firewall":                 "TestFirewall",
	"stack forward":                  "TestReleases",
	"stack guests":                   "TestOneEdgeOnContainers",
	"stack history":                  "TestTeamOnContainers",
	"stack images":                   "TestNewPictureAndImportAreTyped",
	"stack images update":            "TestImagesAreUpdated",
	"stack import":                   "TestNewPictureAndImportAreTyped",
	"stack lock release":             "TestTeamOnContainers",
	"stack lock status":              "TestTeamOnContainers",
	"stack logs":                     "TestProdStackOnContainers",
	"stack maintenance":              "TestEverydayOnContainers",
	"stack new":                      "TestNewPictureAndImportAreTyped",
	"stack open":                     "TestEverydayOnContainers",
	"stack picture":                  "TestNewPictureAndImportAreTyped",
	"stack post-comment":             "TestPostCommentIsTyped",
	"stack preview-comment":          "TestPreviewThatFails",
	"stack releases":                 "TestProdStackOnContainers",
	"stack restore":                  "TestBackupsOnContainers",
	"stack restore-machine":          "TestBackupsOnContainers",
	"stack rollback":                 "TestReleases",
	"stack rotate":                   "TestTeamOnContainers",
	"stack run":                      "TestEverydayOnContainers",
	"stack run-schedule":             "TestSchedulesOnContainers",
	"stack sbom":                     "TestProdStackOnContainers",
	"stack scale":                    "TestEverydayOnContainers",
	"stack scan":                     "TestProdStackOnContainers",
	"stack status":                   "TestProdStackOnContainers",
	"stack test-alert":               "TestTestAlert",
	"stack top":                      "TestEverydayOnContainers",
	"stack verify":                   "TestProdStackOnContainers",
	"stack volume-copy":              "TestNoRenameLosesData",
	"stack volume-move":              "TestDataAtRestOnContainers",
	"test/engines/current-engine.sh": "make test-engine",
}

// Each command that the documents name is run by somebody who would see that it fails.
func TestWhatTheDocumentsSayToTypeIsRun(t *testing.T) {
	t.Chdir("../..")
	c := newManual(t)
	read, err := documents.All(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range read {
		c.document(d)
	}
	pipeline, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	tests := readTests(t)
	for command, where := range c.used {
		target, isTarget := strings.CutPrefix(command, "make ")
		if strings.HasPrefix(command, "pulumi ") || isCheck.MatchString(command) || isTarget && c.runsOthers(target) {
			continue
		}
		by, known := ranBy[command]
		switch {
		case !known:
			t.Errorf("%s: who runs %q? Name the test in ranBy", where, command)
		case strings.HasPrefix(by, "make "):
			if !regexp.MustCompile(`(?m)^` + by + `\b`).Match(pipeline) {
				t.Errorf("%s is run by %q, and .ci/run has no such line", command, by)
			}
		case tests.functions[by] == nil:
			t.Errorf("%s is run by %s, and there is no such test", command, by)
		default:
			said := tests.words(by)
			for _, word := range strings.Fields(strings.TrimPrefix(command, "stack ")) {
				if word != "make" && !said[word] && !said[filepath.Base(word)] {
					t.Errorf("%s is run by %s, which does not say %q anywhere", command, by, word)
				}
			}
		}
	}
	for command := range ranBy {
		if c.used[command] == "" {
			t.Errorf("no document names %s any more", command)
		}
	}
}

// isCheck is a check or a benchmark itself.
var isCheck = regexp.MustCompile(`scripts/(test|bench|lint|vulncheck)\.sh`)

// runsOthers is true for a target that runs commands of stack, which have tests of their own, or is a check
// itself.
func (c *manual) runsOthers(target string) bool {
	recipe := c.recipe(target)
	return (len(stackCommands(recipe)) > 0 || isCheck.MatchString(recipe)) && target != "docs"
}

// tested are the functions of all tests, by their names; functions of one name are one.
type tested struct {
	functions map[string][]*ast.FuncDecl
}

func readTests(t *testing.T) tested {
	t.Helper()
	all := tested{map[string][]*ast.FuncDecl{}}
	for _, pattern := range []string{"test/*/*_test.go", "cmd/stack/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, declared := range file.Decls {
				if f, is := declared.(*ast.FuncDecl); is {
					all.functions[f.Name.Name] = append(all.functions[f.Name.Name], f)
				}
			}
		}
	}
	return all
}

// words are those of all texts in a test, and in what it calls.
func (all tested) words(test string) map[string]bool {
	said, seen, next := map[string]bool{}, map[string]bool{}, []string{test}
	for len(next) > 0 {
		name := next[0]
		next = next[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, f := range all.functions[name] {
			if name != test && strings.HasPrefix(name, "Test") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					next = append(next, n.Name)
				case *ast.BasicLit:
					if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
						for _, word := range strings.Fields(text) {
							said[word] = true
						}
					}
				}
				return true
			})
		}
	}
	return said
}
