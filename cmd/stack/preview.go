package main

import (
	"os"

	"github.com/spf13/cobra"

	"tarot-platform/internal/console"
	"tarot-platform/internal/preview"
)

func previewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "preview-comment FILE STACK...",
		Short: "what `pulumi preview` says of the stacks, as a comment for a pull request",
		Long: "Without secrets. Against what runs, where a deploy has handed that over (build/preview-state), and else against an empty state.\n" +
			"What fails is in the comment, too, and then the exit code is 1.\n" +
			"PREVIEW_OF in the environment: what was looked at (a commit), for the comment's last line.",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := preview.Write(cmd.Context(), ".", fromHere(args[0]), args[1:], os.Getenv("PREVIEW_OF"), console.Stderr()); err != nil {
				return failed{err}
			}
			return nil
		},
	}
}

func postCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "post-comment FILE",
		Short: "put it under the pull request of a commit, in place of the one before",
		Long:  "For GitHub Actions: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN, HEAD_OWNER, HEAD_BRANCH and HEAD_SHA in the environment.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := preview.Post(cmd.Context(), fromHere(args[0]), os.Getenv, console.Stderr()); err != nil {
				return failed{err}
			}
			return nil
		},
	}
}

func previewStateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "preview-state STACK",
		Short: "what runs, without a secret, for previews of pull requests: build/preview-state/STACK.json",
		Long:  "After a deploy, where the state and the passphrase are. A secret that is in the state in clear, too, is refused.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := preview.Export(cmd.Context(), ".", args[0], preview.StateFolder, console.Stderr()); err != nil {
				return failed{err}
			}
			return nil
		},
	}
}

func previewFetchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "preview-fetch",
		Short: "bring what the last deploy has handed over to previews",
		Long:  "For GitHub Actions: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN and DEFAULT_BRANCH in the environment.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := preview.Fetch(cmd.Context(), preview.StateFolder, os.Getenv, console.Stderr()); err != nil {
				return failed{err}
			}
			return nil
		},
	}
}
