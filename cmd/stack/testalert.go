package main

import (
	"github.com/spf13/cobra"

	"tarot-platform/internal/console"
	"tarot-platform/internal/testalert"
)

func testAlertCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test-alert STACK",
		Short: "send an alert to every receiver, and fail where one of them was not reached",
		Long:  "It is called TestAlert, is a page, and ends by itself after a minute, which is told as well.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return testalert.Send(cmd.Context(), d.name, d.prefix, d.docker, console.Stderr())
		},
	}
}
