package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/components/nginx"
	"tarot-platform/internal/checks"
	"tarot-platform/internal/console"
	"tarot-platform/internal/drift"
	"tarot-platform/internal/firewall"
	"tarot-platform/internal/state"
	"tarot-platform/internal/testalert"
)

// secondLook is after how long a difference is looked at again: tasks are replaced, and runs end.
const secondLook = 3 * time.Second

func driftCommand() *cobra.Command {
	var asJSON, alert bool
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "drift STACK",
		Short: "what somebody has changed by hand: what the engine has, against what the last `up` made",
		Long: "Containers, services, networks, volumes, images, configs and secrets, the files in volumes, the firewall, and strangers among them.\n" +
			"Nothing is changed by it, and Pulumi's state is read only; it takes the passphrase.\n" +
			"Exit code 0: there is none; 1: there is; 2: it can't be told, as where an `up` is at work.",
		Example: "  stack drift prod\n  stack drift prod --alert   # every night: docs/operating.md\n  stack drift prod --json | jq -r '.checks[] | select(.result == \"fail\") | .mend'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			report, err := d.drifted(cmd.Context())
			if err != nil {
				return err
			}
			var untold error
			if alert {
				untold = d.tellDrift(cmd.Context(), report, lasts)
			}
			err = reported(asJSON, report, report.Write, report.Has(checks.Fail), report.Has(checks.Unknown))
			if untold != nil {
				console.Stderr().Warn("nobody was told: %v", untold)
				if err == nil {
					err = errUntold
				}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	cmd.Flags().BoolVar(&alert, "alert", false, "tell the stack's receivers of it by the alert StackDrift, and of its end")
	cmd.Flags().DurationVar(&lasts, "alert-for", drift.AlertLasts, "how long the alert stays without another run that finds it")
	return cmd
}

func (d deployed) drifted(ctx context.Context) (checks.Report, error) {
	job, folder, own := nginx.Installed()
	report, err := drift.Of(ctx, drift.Stack{Name: d.name, Prefix: d.prefix, Again: secondLook,
		State:     func(ctx context.Context) ([]state.Resource, error) { return state.Resources(ctx, d.name) },
		Installed: drift.Installed{Job: job, Folder: folder, Own: own, Opened: nginx.Opened},
	}, d.docker)
	if err != nil {
		return report, err
	}
	if len(report.Checks) > 1 { // otherwise nothing was looked at
		report.Checks = append(report.Checks, d.firewallDrift(ctx)...)
	}
	return report, nil
}

// firewallDrift is what this machine's rules say to nginx.allowFrom, where the stack has that.
func (d deployed) firewallDrift(ctx context.Context) []checks.Check {
	c := checks.Check{ID: "firewall", Checked: "this machine refuses whoever nginx.allowFrom does not name", Result: checks.Pass, Found: "its rules are there"}
	w, err := d.wish()
	switch why := d.refusal(); {
	case err != nil:
		c.Result, c.Found = checks.Unknown, err.Error()
	case len(w.From) == 0:
		return nil
	case why != "":
		c.Result, c.Found = checks.Skip, why
	default:
		faults, err := firewall.Here(false).Faults(ctx, w)
		if err != nil {
			c.Result, c.Found, c.Mend = checks.Unknown, err.Error(), "run it as root"
		} else if len(faults) > 0 {
			c.Result, c.Found, c.Mend = checks.Fail, strings.Join(faults, "; "), "make firewall STACK="+d.name
		}
	}
	return []checks.Check{c}
}

// tellDrift begins, goes on with, or ends the alert. What can't be told leaves it as it is.
func (d deployed) tellDrift(ctx context.Context, report checks.Report, lasts time.Duration) error {
	if !report.Has(checks.Fail) && report.Has(checks.Unknown) {
		return nil
	}
	if err := testalert.Keep(ctx, d.name, d.prefix, d.docker, drift.Alert(report), report.Has(checks.Fail), time.Now(), lasts); err != nil {
		return fmt.Errorf("alert %s: %w", drift.AlertName, err)
	}
	return nil
}
