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
	"time"

	units "github.com/docker/go-units"
	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/environment"
	"tarot-platform/internal/newstack"
)

func newCommand() *cobra.Command {
	var from, edge, memory string
	var hosts []string
	var lasts time.Duration
	var share bool
	cmd := &cobra.Command{
		Use:   "new STACK",
		Short: "a stack file of one's own, made of another one, that collides with none",
		Long: "Writes Pulumi.STACK.yaml: ports, subnets and volumes are others than those of every stack file here,\n" +
			"and of what the engine and this machine have. Nothing else is touched. A file that leads to the other stack's data is refused.\n" +
			"With --ttl it is one for a time, as of a pull request: small, without backups and monitoring; the stack is made in the state with\n" +
			"a mark, by which `stack env expire` removes it and all that it has stored once its time is over.\n" +
			"Exit code 0: it is written; 1: there is one already, or it can't be; 2: it can't be told.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			project, err := project()
			if err != nil {
				return err
			}
			temporary := cmd.Flags().Changed("ttl")
			if temporary {
				if err := environment.Allowed(args[0], lasts); err != nil {
					return failed{err}
				}
			}
			ceiling, err := ceilingOf(memory)
			if err != nil {
				return failed{err}
			}
			n := newcomer{newstack.Args{Project: project, Stack: args[0], Edge: edge, Hosts: hosts, ShareData: share, Temporary: temporary}, from, ceiling}
			if err := n.write(cmd.Context()); err != nil || !temporary {
				return err
			}
			return begin(cmd.Context(), args[0], time.Now().Add(lasts))
		},
	}
	cmd.Flags().StringVar(&from, "from", "prod", "the stack whose file is taken")
	cmd.Flags().StringVar(&edge, "edge", "", "the stack whose nginx sends users to the new one")
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "a name that users ask for; several: --host a --host b")
	cmd.Flags().BoolVar(&share, "share-data", false, "it may have the other stack's database, or another store of it")
	cmd.Flags().DurationVar(&lasts, "ttl", 0, "it is there for this long, and goes then with all that it has stored: 72h")
	cmd.Flags().StringVar(&memory, "memory", "", "refuse it where the memory limits of what it runs are more than this together: 2g")
	return cmd
}

func fileOf(stack string) string { return "Pulumi." + stack + ".yaml" }

// newcomer is a stack that is to be made of another one.
type newcomer struct {
	newstack.Args
	from string
	// ceiling is the memory that it may have, in bytes; 0: any.
	ceiling int64
}

// write writes its file.
func (n newcomer) write(ctx context.Context) error {
	args, from := n.Args, n.from
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
	if err := n.fits(file); err != nil {
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

// fits refuses a stack that may use more memory than it is to have: the limits of all that runs for ever,
// with one replica more of what is rolled out one by one.
func (n newcomer) fits(file []byte) error {
	if n.ceiling == 0 {
		return nil
	}
	cfg, err := configurationOf(file)
	if err != nil {
		return err
	}
	described, err := describe(cfg, "")
	if err != nil {
		return err
	}
	var sum int64
	var each []string
	for _, d := range described {
		for _, s := range d.Services {
			count := int64(s.Replicas)
			if s.Upstream {
				count++
			}
			if s.Limits.Memory == 0 {
				return fmt.Errorf("--memory: %s has no limit of its memory, so no sum can be told; allowed: a limit for each", s.Name)
			}
			sum += count * s.Limits.Memory
			each = append(each, fmt.Sprintf("%s %d × %s", s.Name, count, units.BytesSize(float64(s.Limits.Memory))))
		}
	}
	if sum > n.ceiling {
		return fmt.Errorf("--memory is %s, and what runs of %s may use %s: %s; allowed: smaller limits in %s, or more memory",
			units.BytesSize(float64(n.ceiling)), n.Stack, units.BytesSize(float64(sum)), strings.Join(each, ", "), fileOf(n.from))
	}
	return nil
}

func ceilingOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	bytes, err := units.RAMInBytes(text)
	if err != nil || bytes <= 0 {
		return 0, fmt.Errorf("--memory is %q; allowed: a number with a unit, such as 512m or 2g", text)
	}
	return bytes, nil
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
	for _, v := range newstack.Shared(cfg) {
		fmt.Printf("! both have %s: %s:%s\n", v.Text, config.Namespace, v.Key)
	}
	if edge := cmp.Or(args.Edge, cfg.Nginx.Edge); edge != "" {
		fmt.Printf("the edge sends users here when its file, %s, says so:\n  tarot:sites:\n    %s:\n      hosts: [%s]\n",
			fileOf(edge), args.Stack, strings.Join(args.Hosts, ", "))
		fmt.Printf("  with %s:networks.sitesSubnet set there: docs/several-stacks.md\nnext: make up STACK=%s, then make up STACK=%s\n", config.Namespace, edge, args.Stack)
		return
	}
	fmt.Printf("next: make up STACK=%s\n", args.Stack)
}
