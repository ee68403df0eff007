package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/state"
)

// The variables that choose, where no flag does: the stack as for make, and the folder of the
// project. The last one is what the installed command was made from (setup/stack.sh).
const (
	stackVariable    = "STACK"
	projectVariable  = "STACK_PROJECT"
	checkoutVariable = "STACK_CHECKOUT"
)

// chosen is what the flags say, and where the user is.
var chosen struct{ stack, project, from string }

// choosing gives the root command the flags that all others have.
func choosing(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVarP(&chosen.stack, "stack", "s", "", "the stack; else $"+stackVariable+", and else the one that Pulumi has selected")
	flags.StringVarP(&chosen.project, "project", "C", "", "the folder of the project; else $"+projectVariable+", and else the one that this folder is in")
	_ = root.RegisterFlagCompletionFunc("stack", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return stacks(), cobra.ShellCompDirectiveNoFileComp
	})
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Annotations[anywhere] != "" || cmd.Name() == "help" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return nil
		}
		return enterProject()
	}
	for _, cmd := range all(root) {
		takesStack(cmd)
	}
}

// anywhere marks a command that needs no project.
const anywhere = "anywhere"

// all are a command and those below it.
func all(cmd *cobra.Command) []*cobra.Command {
	found := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		found = append(found, all(c)...)
	}
	return found
}

// enterProject goes to the project's folder.
func enterProject() error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	chosen.from = here
	folder, err := projectFolder(here, chosen.project, os.Getenv)
	if err != nil {
		return err
	}
	return os.Chdir(folder)
}

// projectFolder is where Pulumi.yaml is.
func projectFolder(here, flag string, env func(string) string) (string, error) {
	for _, said := range []struct{ how, folder string }{{"--project", flag}, {"$" + projectVariable, env(projectVariable)}} {
		if said.folder == "" {
			continue
		}
		if !hasProject(said.folder) {
			return "", fmt.Errorf("%s is %q, which has no Pulumi.yaml; allowed: the folder of a checkout", said.how, said.folder)
		}
		return said.folder, nil
	}
	for folder := here; ; folder = filepath.Dir(folder) {
		if hasProject(folder) {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			break
		}
	}
	if made := env(checkoutVariable); made != "" && hasProject(made) {
		return made, nil
	}
	return "", fmt.Errorf("neither %s nor a folder above it has a Pulumi.yaml: go to the checkout, or name it by --project or $%s", here, projectVariable)
}

func hasProject(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "Pulumi.yaml"))
	return err == nil
}

// fromHere is a path as the user has typed it, who may be in another folder than the project's.
func fromHere(path string) string {
	if path == "" || path == "-" || filepath.IsAbs(path) || chosen.from == "" {
		return path
	}
	wanted := filepath.Join(chosen.from, path)
	if now, err := os.Getwd(); err == nil && filepath.Join(now, path) == wanted {
		return path
	}
	return wanted
}

// stacks are those that have a file here.
func stacks() []string {
	if chosen.from == "" && enterProject() != nil {
		return nil
	}
	files, _ := filepath.Glob("Pulumi.*.yaml")
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(f, "Pulumi."), ".yaml"))
	}
	return names
}

// usage is what a command's usage line says that it takes beside the stack; most is -1 where there
// is no end.
type usage struct{ least, most int }

// usageOf is the usage of `NAME STACK WORD [WORD] ...`; false: it takes no stack as its first word.
func usageOf(use string) (usage, bool) {
	words := strings.Fields(use)
	if len(words) < 2 || words[1] != "STACK" && words[1] != "[STACK]" {
		return usage{}, false
	}
	var u usage
	for _, w := range words[2:] {
		if strings.HasPrefix(w, "-") {
			break
		}
		if !strings.HasPrefix(w, "[") {
			u.least++
		}
		if strings.Contains(w, "...") {
			u.most = -1
			break
		}
		u.most++
	}
	return u, true
}

// takesStack has a command whose usage begins with STACK take that by the flag as well, and then
// from wherever else it is chosen. Its own code still gets it as the first argument.
func takesStack(cmd *cobra.Command) {
	u, does := usageOf(cmd.Use)
	if !does || cmd.Name() == "new" || cmd.RunE == nil {
		return
	}
	run := cmd.RunE
	optional := strings.Contains(cmd.Use, "[STACK]")
	cmd.Use = strings.Replace(cmd.Use, " STACK", " [STACK]", 1)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, others := positional(args, u, chosen.stack, slices.Contains(stacks(), first(args)))
		switch {
		case len(others) < u.least || u.most >= 0 && len(others) > u.most:
			return fmt.Errorf("%s: it is given %q; usage: %s", cmd.CommandPath(), strings.Join(args, " "), cmd.UseLine())
		case name == "" && optional:
			return run(cmd, others)
		case name == "":
			var err error
			if name, err = selected(cmd.Context()); err != nil {
				return err
			}
		}
		forDev(name)
		return run(cmd, append([]string{name}, others...))
	}
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return stacks(), cobra.ShellCompDirectiveNoFileComp
		}
	}
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// positional tells the stack from what else a command takes: it is the first word where that is one
// more than the command takes, or has a stack's file.
func positional(args []string, u usage, flag string, isStack bool) (stack string, others []string) {
	switch {
	case flag != "":
		return flag, args
	case len(args) > 0 && (isStack || u.most >= 0 && len(args) > u.most):
		return args[0], args[1:]
	}
	return "", args
}

// selected is the stack where neither a flag nor an argument says it.
func selected(ctx context.Context) (string, error) {
	if name := os.Getenv(stackVariable); name != "" {
		return name, nil
	}
	out, err := state.Ask(ctx, "stack", "--show-name")
	if name := strings.TrimSpace(string(out)); err == nil && name != "" {
		note("the stack is %s, which Pulumi has selected here", name)
		return name, nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", fmt.Errorf("which stack? Name it by -s or $%s, or select one: pulumi stack select. There are here: %s", stackVariable, strings.Join(stacks(), ", "))
}

// theStack opens the stack for a command that takes it by the flag only.
func theStack(ctx context.Context) (deployed, error) {
	name := chosen.stack
	if name == "" {
		var err error
		if name, err = selected(ctx); err != nil {
			return deployed{}, err
		}
	}
	if !slices.Contains(stacks(), name) {
		return deployed{}, fmt.Errorf("stack is %q, and there is no %s; there are: %s", name, fileOf(name), strings.Join(stacks(), ", "))
	}
	forDev(name)
	return open(ctx, name)
}

// forDev gives Pulumi the passphrase of the stack dev, which is empty (setup/state.sh).
func forDev(name string) {
	_, given := os.LookupEnv("PULUMI_CONFIG_PASSPHRASE")
	if name == "dev" && !given && os.Getenv("PULUMI_CONFIG_PASSPHRASE_FILE") == "" {
		_ = os.Setenv("PULUMI_CONFIG_PASSPHRASE", "")
	}
}

// completeTime is what a shell that waits for a completion is given.
const completeTime = 2 * time.Second

// completeServices are the stack's services that run, for a shell.
func completeServices(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	d, err := theStack(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	sources, _ := d.docker.LogSources(ctx, d.prefix)
	return running(sources), cobra.ShellCompDirectiveNoFileComp
}

// notRun is why a command that was to run inside did not: its exit code is none of the command's.
type notRun struct{ error }

func (n notRun) Unwrap() error { return n.error }
