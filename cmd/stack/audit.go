package main

import (
	"errors"

	"github.com/spf13/cobra"

	"tarot-platform/internal/audit"
)

// errUntold is told by what was printed already.
var errUntold = errors.New("it can't be told")

func auditCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "audit STACK",
		Short: "what runs, held against the CIS Docker Benchmark",
		Long: "Each container of the stack on this engine, and whether this machine's rules are as nginx.allowFrom wants them: what passes, what is an exception and why, what fails.\n" +
			"Exit code 0: nothing fails; 1: something does; 2: it can't be told, as a container is on another node, or there is none.",
		Example: "  stack audit prod --json | jq '.findings[] | select(.result == \"fail\")'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			subjects, elsewhere, err := d.docker.Audited(cmd.Context(), d.prefix)
			if err != nil {
				return err
			}
			report := audit.Of(d.name, d.docker.Info, subjects, elsewhere)
			report.Findings = append(report.Findings, d.hostAudit(cmd.Context(), subjects)...)
			report.Findings = append(report.Findings, d.kernelAudit(cmd.Context(), subjects)...)
			return reported(asJSON, report, report.Write, report.Failed(), report.Untold())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	return cmd
}
