package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/internal/status"
)

// opened are the addresses that people ask for, by what they are called.
var opened = []string{"site", "api", "docs", "admin", "health", "grafana"}

func openCommand() *cobra.Command {
	var only bool
	cmd := &cobra.Command{
		Use:   "open [site|api|docs|admin|health|grafana]",
		Short: "the stack's address in a browser",
		Long: "It is printed, too, and that is all where there is no browser, or with --print.\n" +
			"Exit code 0: done; 1: the stack has no such address; 2: it can't be told.",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: opened,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := theStack(cmd.Context())
			if err != nil {
				return err
			}
			out, err := d.outputs(cmd.Context())
			if err != nil {
				return err
			}
			what := "site"
			if len(args) > 0 {
				what = args[0]
			}
			address, err := addressOf(out, what)
			if err != nil {
				return failed{err}
			}
			fmt.Println(address)
			if only {
				return nil
			}
			for _, browser := range browsers() {
				if exec.Command(browser[0], append(browser[1:], address)...).Start() == nil {
					return nil
				}
			}
			note("there is no browser here that could be started")
			return nil
		},
	}
	cmd.Flags().BoolVar(&only, "print", false, "print it only")
	return cmd
}

func addressOf(out status.Outputs, what string) (string, error) {
	addresses := map[string]string{"site": out.URL, "api": out.APIURL, "docs": out.DocsURL, "admin": out.AdminURL, "health": out.HealthURL, "grafana": out.GrafanaURL}
	if addresses[what] != "" {
		return addresses[what], nil
	}
	var has []string
	for _, name := range opened {
		if addresses[name] != "" {
			has = append(has, name)
		}
	}
	return "", fmt.Errorf("the stack has no address of %s; it has: %s", what, strings.Join(has, ", "))
}

// browsers are what opens an address.
func browsers() [][]string {
	all := [][]string{{"xdg-open"}, {"wslview"}}
	switch runtime.GOOS {
	case "darwin":
		all = [][]string{{"open"}}
	case "windows":
		all = [][]string{{"rundll32", "url.dll,FileProtocolHandler"}}
	}
	return slices.DeleteFunc(all, func(b []string) bool { _, err := exec.LookPath(b[0]); return err != nil })
}
