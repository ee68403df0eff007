package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestEachCommandHasAnExample(t *testing.T) {
	for _, cmd := range all(rootCommand()) {
		if cmd.Name() == "help" || strings.HasPrefix(cmd.CommandPath(), "stack completion") {
			continue
		}
		if cmd.Example == "" || cmd.Short == "" || !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: its example is %q", cmd.CommandPath(), cmd.Example)
		}
	}
}

// What a usage says is what is taken.
func TestWhatUsagesSay(t *testing.T) {
	for use, want := range map[string]usage{
		"status STACK": {0, 0}, "rollback STACK [RELEASE]": {0, 1}, "rotate STACK SECRET": {1, 1}, "update STACK [IMAGE...]": {0, -1},
		"move STACK --to postgres|sqlite": {0, 0}, "volume-copy STACK FROM TO": {2, 2}, "images [STACK]": {0, 0},
	} {
		if got, does := usageOf(use); got != want || !does {
			t.Errorf("%s: %+v, %v", use, got, does)
		}
	}
	for _, use := range []string{"exec SERVICE -- COMMAND", "db", "preview-comment FILE STACK..."} {
		if _, does := usageOf(use); does {
			t.Errorf("%s takes a stack first", use)
		}
	}
}

func TestTheStackIsToldFromTheRest(t *testing.T) {
	one := usage{0, 1}
	for _, test := range []struct {
		args    []string
		u       usage
		flag    string
		isStack bool
		stack   string
		others  []string
	}{
		{[]string{"prod"}, usage{}, "", true, "prod", []string{}},
		{[]string{"nowhere"}, usage{}, "", false, "nowhere", []string{}}, // one too many: it was meant as a stack
		{nil, usage{}, "prod", false, "prod", nil},
		{nil, usage{}, "", false, "", nil},
		{[]string{"r1"}, one, "", false, "", []string{"r1"}},
		{[]string{"prod"}, one, "", true, "prod", []string{}},
		{[]string{"prod", "r1"}, one, "", true, "prod", []string{"r1"}},
		{[]string{"nowhere", "r1"}, one, "", false, "nowhere", []string{"r1"}},
		{[]string{"prod"}, one, "dev", true, "dev", []string{"prod"}},
		{[]string{"nginx.image", "python:3"}, usage{0, -1}, "", false, "", []string{"nginx.image", "python:3"}},
	} {
		stack, others := positional(test.args, test.u, test.flag, test.isStack)
		if stack != test.stack || !slices.Equal(others, test.others) {
			t.Errorf("%q, -s %q: %q, %q", test.args, test.flag, stack, others)
		}
	}
}

// inProject is a folder with two stacks, and one below it, in which the test is.
func inProject(t *testing.T) string {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"Pulumi.yaml": "name: tarot\n", "Pulumi.dev.yaml": "config:\n", "Pulumi.prod.yaml": "config:\n", "app/tarot/x": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(top, "app/tarot"))
	t.Setenv(stackVariable, "")
	t.Setenv(projectVariable, "")
	t.Setenv(checkoutVariable, "")
	t.Cleanup(func() { chosen.stack, chosen.project, chosen.from = "", "", "" })
	chosen.stack, chosen.project, chosen.from = "", "", ""
	return top
}

func TestItIsFoundFromAnyFolder(t *testing.T) {
	top := inProject(t)
	elsewhere := t.TempDir()
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			if at := slices.Index(pairs, name); at >= 0 {
				return pairs[at+1]
			}
			return ""
		}
	}
	for _, test := range []struct {
		here, flag string
		env        func(string) string
		want       string
	}{
		{filepath.Join(top, "app/tarot"), "", env(), top},
		{top, "", env(), top},
		{elsewhere, top, env(), top},
		{elsewhere, "", env(projectVariable, top), top},
		{elsewhere, "", env(checkoutVariable, top), top},
	} {
		if got, err := projectFolder(test.here, test.flag, test.env); err != nil || got != test.want {
			t.Errorf("%s, %q: %q, %v", test.here, test.flag, got, err)
		}
	}
	if _, err := projectFolder(elsewhere, "", env()); err == nil || !strings.Contains(err.Error(), "--project or $STACK_PROJECT") {
		t.Error(err)
	}
	if _, err := projectFolder(top, elsewhere, env()); err == nil || !strings.Contains(err.Error(), "--project is ") {
		t.Error(err)
	}
}

// A command of today's kind gets the stack as its first argument, however it was said, and goes to the
// project's folder; a file of the user's stays where it is.
func TestACommandGetsTheStackHoweverItIsSaid(t *testing.T) {
	for _, test := range []struct{ args, env, want string }{
		{"look prod", "", "prod"},
		{"look -s prod", "", "prod"},
		{"look", "dev", "dev"},
		{"look prod r1", "dev", "prod r1"},
		{"look r1", "dev", "dev r1"},
		{"look r1 -s prod", "dev", "prod r1"},
	} {
		top := inProject(t)
		t.Setenv(stackVariable, test.env)
		var got []string
		var file string
		root := &cobra.Command{Use: "stack", SilenceErrors: true, SilenceUsage: true}
		root.AddCommand(&cobra.Command{Use: "look STACK [WORD]", RunE: func(_ *cobra.Command, args []string) error {
			got, file = args, fromHere("x")
			if now, _ := os.Getwd(); now != top {
				t.Errorf("it is in %s", now)
			}
			return nil
		}})
		choosing(root)
		root.SetArgs(strings.Fields(test.args))
		if err := root.ExecuteContext(t.Context()); err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, %v", test.args, got, err)
		}
		if file != filepath.Join(top, "app/tarot/x") {
			t.Errorf("the file is %s", file)
		}
		root.SetArgs([]string{"look", "a", "b", "c"})
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "usage: stack look [STACK] [WORD]") {
			t.Error(err)
		}
	}
}

func TestTheShellCompletes(t *testing.T) {
	inProject(t)
	var out bytes.Buffer
	root := rootCommand()
	root.SetOut(&out)
	for args, want := range map[string]string{"status --stack ": "dev\nprod\n", "status ": "dev\nprod\n", "maintenance o": "on\noff\n"} {
		out.Reset()
		root.SetArgs(append([]string{"__complete"}, strings.Split(args, " ")...))
		if err := root.ExecuteContext(context.Background()); err != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%q: %q, %v", args, out.String(), err)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out.Reset()
		root.SetArgs([]string{"completion", shell})
		if err := root.ExecuteContext(context.Background()); err != nil || out.Len() < 1000 {
			t.Errorf("%s: %d bytes, %v", shell, out.Len(), err)
		}
	}
}
