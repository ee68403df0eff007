package main

import (
	"os"

	"github.com/spf13/cobra"

	"tarot-platform/internal/history"
)

func historyCommand() *cobra.Command {
	var asJSON bool
	var last int
	cmd := &cobra.Command{
		Use:   "history STACK",
		Short: "what was done with it: who, when, of which commit, and what became of it",
		Long: "Everything that changes a stack, by whomever and from wherever: the engine has it. A commit with + had changes\n" +
			"that were not committed. Times are UTC. About 500 entries are kept.",
		Example: "  stack history prod --json | jq '.[] | select(.result == \"failed\")'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			all, err := history.Read(cmd.Context(), d.docker, d.prefix)
			if err != nil {
				return err
			}
			if last > 0 && len(all) > last {
				all = all[:last]
			}
			if asJSON {
				return printJSON(all)
			}
			return history.Write(os.Stdout, all)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	cmd.Flags().IntVar(&last, "last", 0, "only so many; 0: all")
	return cmd
}
