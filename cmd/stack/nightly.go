package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/internal/console"
	"tarot-platform/internal/nightly"
)

func nightlyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nightly STACK FILE",
		Short: "drift and known vulnerabilities, as the text of an issue",
		Long:  "Exit code 0: all is well; 1: something is not; 2: it can't be told. All of it is in the file, too.",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			worst, err := nightly.Write(cmd.Context(), args[0], fromHere(args[1]), itself, console.Stderr())
			switch {
			case err != nil:
				return err
			case worst == exitWrong:
				return errWrong
			case worst != 0:
				return errUntold
			}
			return nil
		},
	}
}

func postIssueCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "post-issue FILE",
		Short: "open an issue for it, or update or close the one that is open",
		Long:  "For GitHub Actions: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN, GITHUB_SERVER_URL and GITHUB_RUN_ID in the environment.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := nightly.Post(cmd.Context(), fromHere(args[0]), os.Getenv, console.Stderr()); err != nil {
				return failed{err}
			}
			return nil
		},
	}
}

// itself runs a command of this program, in a process of its own.
var itself = func(ctx context.Context, args ...string) (output string, code int, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", 0, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return said.String(), exit.ExitCode(), nil
	}
	return said.String(), 0, err
}
