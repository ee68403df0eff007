package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/internal/compose"
	"tarot-platform/internal/console"
)

// importing is an import as it is asked for.
type importing struct {
	from    compose.Source
	stack   string
	backend string
	keep    []string
	secret  string
}

func importCommand() *cobra.Command {
	var i importing
	cmd := &cobra.Command{
		Use:   "import COMPOSE-FILE...",
		Short: "write the stack file of a Compose project",
		Long: "It reads the files as `docker compose -f FILE...` does, with its profiles, environment files, extends and includes, writes\n" +
			"Pulumi.STACK.yaml, where there is none yet, and tells what it could not take over, why, and what to do. Secrets are not written:\n" +
			"it prints the command that sets each. It asks neither the engine nor Pulumi. docs/coming-from-compose.md",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, file := range args {
				i.from.Files = append(i.from.Files, fromHere(file))
			}
			for n, file := range i.from.EnvFiles {
				i.from.EnvFiles[n] = fromHere(file)
			}
			return i.run(cmd.Context(), ".", os.Stdout, console.Stderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&i.stack, "stack", "", "the new stack's name; needed")
	flags.StringVar(&i.backend, "backend", "", "the service that users reach, where that is not certain")
	flags.StringArrayVar(&i.keep, "keep", nil, "a service that stays one, though the platform has a part for its image; several times")
	flags.StringArrayVar(&i.from.Profiles, "profile", nil, "as of docker compose; several times")
	flags.StringArrayVar(&i.from.EnvFiles, "env-file", nil, "as of docker compose; several times")
	flags.StringVar(&i.secret, "secret", "", "write the value of this secret to the standard output, for `pulumi config set --secret`, and nothing else")
	_ = cmd.MarkFlagRequired("stack") // it is one of the flags
	return cmd
}

// stackName is what Pulumi allows for a stack, without an organisation's name.
var stackName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$`)

// run imports into the Pulumi project in the folder.
func (i importing) run(ctx context.Context, folder string, out io.Writer, people console.Console) error {
	if !stackName.MatchString(i.stack) {
		return fmt.Errorf("--stack is %q; allowed: letters, digits, _ . and -", i.stack)
	}
	root, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	path := compose.Path(root, i.stack)
	if _, err := os.Lstat(path); err == nil && i.secret == "" {
		return failed{compose.Refusal(filepath.Base(path))}
	}
	name, err := project()
	if err != nil {
		return err
	}
	read, err := compose.Load(ctx, i.from)
	if err != nil {
		return failed{err}
	}
	subnets, err := compose.Subnets(root)
	if err != nil {
		return err
	}
	result, err := compose.Import(read, compose.Options{Stack: i.stack, Prefix: name + "-" + i.stack, Root: root, Backend: i.backend, Keep: i.keep, Subnets: subnets})
	if err != nil {
		return failed{fmt.Errorf("nothing is written: %w", err)}
	}
	if i.secret != "" {
		return show(result, i.secret, out)
	}
	if err := result.Write(path, i.from.Files); err != nil {
		return failed{err}
	}
	compose.Told{Result: result, Stack: i.stack, File: path, Again: i.command(), Files: i.from.Files}.Print(people)
	return nil
}

// show writes a secret for the next program.
func show(result compose.Result, name string, out io.Writer) error {
	var names []string
	for _, s := range result.Secrets {
		if s.Name == name {
			_, err := io.WriteString(out, s.Value())
			return err
		}
		names = append(names, s.Name)
	}
	return failed{fmt.Errorf("there is no secret %q; there are: %s", name, strings.Join(names, ", "))}
}

// command is what was asked for, as it is typed.
func (i importing) command() string {
	words := append([]string{"go run ./cmd/stack import"}, i.from.Files...)
	flag := func(name string, values ...string) {
		for _, value := range values {
			if value != "" {
				words = append(words, "--"+name, value)
			}
		}
	}
	flag("stack", i.stack)
	flag("backend", i.backend)
	flag("keep", i.keep...)
	flag("profile", i.from.Profiles...)
	flag("env-file", i.from.EnvFiles...)
	return strings.Join(words, " ")
}
