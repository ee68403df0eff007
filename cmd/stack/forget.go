package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"tarot-platform/internal/stackfile"
)

// forgetCommand is for a preview without the passphrase: scripts/preview-comment.sh.
func forgetCommand() *cobra.Command {
	return &cobra.Command{Use: "forget-secrets FILE", Short: "take the secrets out of a stack file, and print their paths", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			rest, paths, err := stackfile.Forget(file)
			if err == nil {
				err = os.WriteFile(args[0], rest, 0o600)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			for _, path := range paths {
				fmt.Println(path)
			}
			return nil
		}}
}
