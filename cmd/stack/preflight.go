package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/preflight"
)

func preflightCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "preflight STACK",
		Short: "the checklist before a deploy: what an `up` looks at before it touches anything",
		Long: "It is the program itself that goes through the list, as at each `up` and preview, and ends there. What fails stops an `up`; what tarot:preflight.accept\n" +
			"names is a warning. It takes the stack's passphrase.\n" +
			"Exit code 0: an `up` goes on; 1: it would not; 2: something can't be told.",
		Example: "  stack preflight prod\n  stack preflight prod --json | jq -r '.checks[] | select(.result == \"fail\") | .mend'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := preflighted(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return reported(asJSON, report, report.Write, report.Has(checks.Fail), report.Has(checks.Unknown))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	return cmd
}

// preflighted has the program write the list: a preview that ends there.
func preflighted(ctx context.Context, name string) (checks.Report, error) {
	var r checks.Report
	folder, err := os.MkdirTemp("", "preflight-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "list.json")
	cmd := exec.CommandContext(ctx, "pulumi", "preview", "--stack", name, "--non-interactive")
	cmd.Env = append(os.Environ(), preflight.Variable+"="+file)
	said, failed := cmd.CombinedOutput() // it fails, as it ends early
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("pulumi preview ended before the list was made: %w: %s", failed, strings.TrimSpace(string(said)))
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}
