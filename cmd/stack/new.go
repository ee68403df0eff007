package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/newstack"
)

func newCommand() *cobra.Command {
	var from, edge string
	var hosts []string
	cmd := &cobra.Command{
		Use:   "new STACK",
		Short: "a stack file of one's own, made of another one, that collides with none",
		Long: "Writes Pulumi.STACK.yaml: ports, subnets and volumes are others than those of every stack file here,\n" +
			"and of what the engine and this machine have. Nothing else is touched.\n" +
			"Exit code 0: it is written; 1: there is one already, or it can't be; 2: it can't be told.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			project, err := project()
			if err != nil {
				return err
			}
			return newStack(cmd.Context(), newstack.Args{Project: project, Stack: args[0], Edge: edge, Hosts: hosts}, from)
		},
	}
	cmd.Flags().StringVar(&from, "from", "prod", "the stack whose file is taken")
	cmd.Flags().StringVar(&edge, "edge", "", "the stack whose nginx sends users to the new one")
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "a name that users ask for; several: --host a --host b")
	return cmd
}

func fileOf(stack string) string { return "Pulumi." + stack + ".yaml" }

func newStack(ctx context.Context, args newstack.Args, from string) error {
	taken, err := takenHere()
	if err != nil {
		return err
	}
	if err := addEngine(ctx, taken); err != nil {
		console.Stderr().Warn("what other stacks have on the engine is not known, and only the files here are looked at: %v", err)
	}
	text, err := os.ReadFile(fileOf(from))
	if err != nil {
		return err
	}
	cfg, err := configurationOf(text)
	if err != nil {
		return fmt.Errorf("%s: %w", fileOf(from), err)
	}
	file, changes, secrets, err := newstack.Make(text, cfg, args, taken)
	if err != nil {
		return failed{err}
	}
	to, err := os.OpenFile(fileOf(args.Stack), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as the others, it has no secrets
	if errors.Is(err, os.ErrExist) {
		return failed{fmt.Errorf("%s is there already, and stays as it is: remove it first, or choose another name", fileOf(args.Stack))}
	}
	if err == nil {
		_, err = to.Write(file)
		err = errors.Join(err, to.Close())
	}
	if err != nil {
		return err
	}
	tell(args, from, cfg, changes, secrets)
	return nil
}

// takenHere is what the stack files in this folder say.
func takenHere() (*newstack.Taken, error) {
	taken := &newstack.Taken{}
	files, err := filepath.Glob(fileOf("*"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cfg, err := configurationOf(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		taken.Stack(cfg)
	}
	return taken, nil
}

func addEngine(ctx context.Context, taken *newstack.Taken) error {
	docker, err := engine.Open(ctx)
	if err != nil {
		return err
	}
	there, err := docker.Taken(ctx)
	for _, port := range there.Ports {
		taken.Port(port)
	}
	for _, subnet := range there.Subnets {
		taken.Subnet(subnet)
	}
	for _, volume := range there.Volumes {
		taken.Volume(volume)
	}
	taken.Busy = there.Busy
	return err
}

// tell says what is other than in the file that was taken, and what is left to do.
func tell(args newstack.Args, from string, cfg config.Config, changes []newstack.Change, secrets []string) {
	fmt.Printf("%s is %s, but for:\n", fileOf(args.Stack), fileOf(from))
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		fmt.Fprintf(table, "  %s\t%s\tin place of %s\n", c.Key, cmp.Or(c.After, "empty"), cmp.Or(c.Before, "empty"))
	}
	_ = table.Flush()
	for _, secret := range secrets {
		fmt.Printf("  %s  is a secret of the other stack: pulumi config set --secret -s %s --path %s\n", secret, args.Stack, secret)
	}
	if url := cfg.Backend.DatabaseURL; url != "" && !strings.HasPrefix(url, "sqlite:") {
		fmt.Printf("! both have the database %s: %s:backend.databaseUrl\n", url, config.Namespace)
	}
	if edge := cmp.Or(args.Edge, cfg.Nginx.Edge); edge != "" {
		fmt.Printf("the edge sends users here when its file, %s, says so:\n  tarot:sites:\n    %s:\n      hosts: [%s]\n",
			fileOf(edge), args.Stack, strings.Join(args.Hosts, ", "))
		fmt.Printf("  with %s:networks.sitesSubnet set there: docs/several-stacks.md\nnext: make up STACK=%s, then make up STACK=%s\n", config.Namespace, edge, args.Stack)
		return
	}
	fmt.Printf("next: make up STACK=%s\n", args.Stack)
}
