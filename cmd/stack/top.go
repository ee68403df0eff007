package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/term"
	"github.com/spf13/cobra"

	"tarot-platform/internal/engine"
)

func topCommand() *cobra.Command {
	var once, asJSON bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "what each replica uses, what uses most first, until it is interrupted",
		Long: "CPU is in cores, memory as `docker stats` has it. Only the engine is asked. Where it prints to no terminal, it prints once.\n" +
			"Exit code 0: it is told; 2: it can't be.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 500*time.Millisecond {
				return fmt.Errorf("every is %s; allowed: 500ms and more", every)
			}
			d, err := theStack(cmd.Context())
			if err != nil {
				return err
			}
			_, terminal := term.GetFdInfo(os.Stdout)
			for {
				all, err := d.docker.Replicas(cmd.Context(), d.prefix)
				switch {
				case cmd.Context().Err() != nil:
					return nil
				case err != nil:
					return err
				case asJSON:
					return printJSON(all)
				}
				var page bytes.Buffer
				writeTop(&page, d.name, all)
				if once || !terminal {
					_, err := page.WriteTo(os.Stdout)
					return err
				}
				// Over what is there, so that nothing flickers.
				fmt.Print("\x1b[H" + string(bytes.ReplaceAll(page.Bytes(), []byte("\n"), []byte("\x1b[K\n"))) + "\x1b[J")
				if !pausedFor(cmd.Context(), every) {
					return nil
				}
			}
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print it once")
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts, once")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often")
	return cmd
}

// pausedFor is false where the command is to end.
func pausedFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func writeTop(to io.Writer, stack string, all []engine.Replica) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b engine.Replica) int {
		switch {
		case a.CPU != b.CPU:
			return map[bool]int{true: -1, false: 1}[a.CPU > b.CPU]
		case a.Memory != b.Memory:
			return map[bool]int{true: -1, false: 1}[a.Memory > b.Memory]
		}
		return 0
	})
	var cpu float64
	var memory uint64
	for _, r := range all {
		cpu += r.CPU
		memory += r.Memory
	}
	fmt.Fprintf(to, "%s: %d replicas, %.2f cores, %s\n\n", stack, len(all), cpu, units.CustomSize("%.4g%s", float64(memory), 1024, []string{"", "K", "M", "G", "T"}))
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REPLICA\tSTATE\tCPU\tMEMORY\tOF\tNODE")
	for _, r := range all {
		if r.ID == "" {
			fmt.Fprintf(table, "%s\t%s\t-\t-\t-\t%s\n", r.Name, r.State, r.Node)
			continue
		}
		share := "-"
		if r.Limit > 0 {
			share = fmt.Sprintf("%d %%", 100*r.Memory/r.Limit)
		}
		fmt.Fprintf(table, "%s\t%s\t%.2f\t%s\t%s\t%s\n", r.Name, r.State, r.CPU, units.CustomSize("%.4g%s", float64(r.Memory), 1024, []string{"", "K", "M", "G", "T"}), share, r.Node)
	}
	_ = table.Flush()
}
