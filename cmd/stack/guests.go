package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func guestsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "guests STACK",
		Short: "containers and services of others on the stack's networks",
		Long: "While one is there, `pulumi destroy` fails at the network, and doesn't say why.\n" +
			"Exit code 0: there is none; 1: there is; 2: it can't be told.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			guests, err := d.docker.Guests(cmd.Context(), d.prefix)
			if err != nil {
				return err
			}
			for _, g := range guests {
				fmt.Printf("! %s is on the network %s and not of this stack, so the network can't be removed: %s\n", g, g.Network, g.Mend())
			}
			if len(guests) > 0 {
				return errWrong
			}
			return nil
		},
	}
}
