package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/product"
)

// versions are those of the project and of what it works with; what could not be asked is told, and is
// no reason to fail.
type versions struct {
	Version string            `json:"version"`
	Commit  string            `json:"commit,omitempty"`
	Dirty   bool              `json:"dirty"`
	Engine  string            `json:"engine,omitempty"`
	Pulumi  string            `json:"pulumi,omitempty"`
	Plugins map[string]string `json:"plugins"`
	Unknown []string          `json:"unknown,omitempty"`
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "of this project, its commit, the engine, Pulumi and its plugins",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := os.ReadFile(product.File)
			if err != nil {
				return err
			}
			version, err := product.Parse(string(text))
			if err != nil {
				return err
			}
			v := versionsHere(cmd.Context(), version)
			return reported(asJSON, v, v.write, false, false)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	return cmd
}

func versionsHere(ctx context.Context, version string) versions {
	me := history.Me(ctx)
	v := versions{Version: version, Commit: me.Commit, Dirty: me.Dirty, Plugins: map[string]string{}}
	unknown := func(what string, err error) {
		if err != nil {
			v.Unknown = append(v.Unknown, fmt.Sprintf("%s: %v", what, err))
		}
	}
	if v.Commit == "" {
		unknown("commit", fmt.Errorf("this is no checkout that git knows"))
	}
	docker, err := engine.Open(ctx)
	if err == nil {
		v.Engine, err = docker.Version(ctx)
	}
	unknown("engine", err)
	out, err := exec.CommandContext(ctx, "pulumi", "version").Output()
	v.Pulumi = strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	unknown("pulumi", err)
	out, err = exec.CommandContext(ctx, "pulumi", "plugin", "ls", "--json").Output()
	if err == nil {
		v.Plugins, err = pluginsOf(out)
	}
	unknown("plugins", err)
	return v
}

// pluginsOf reads `pulumi plugin ls --json`: one plugin may be there in several versions.
func pluginsOf(out []byte) (map[string]string, error) {
	var list []struct{ Name, Kind, Version string }
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, p := range list {
		if p.Kind != "resource" || p.Name != "docker" && p.Name != "random" {
			continue
		}
		if all[p.Name] != "" {
			p.Version = all[p.Name] + ", " + p.Version
		}
		all[p.Name] = p.Version
	}
	return all, nil
}

func (v versions) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	commit := v.Commit
	if v.Dirty {
		commit += ", with changes that are in no commit"
	}
	for _, line := range [][2]string{{"version", v.Version}, {"commit", commit}, {"engine", v.Engine}, {"pulumi", v.Pulumi}, {"docker plugin", v.Plugins["docker"]}, {"random plugin", v.Plugins["random"]}} {
		if line[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, u := range v.Unknown {
		if _, err := fmt.Fprintln(w, "? "+u); err != nil {
			return err
		}
	}
	return nil
}

func releaseCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "release-check [TAG]",
		Short: "do VERSION, CHANGELOG.md and the tag of a release of this project agree?",
		Long:  "Exit code 0: they do; 1: they do not; 2: it can't be told. Without TAG: VERSION and CHANGELOG.md alone.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			version, err := os.ReadFile(product.File)
			if err != nil {
				return err
			}
			changelog, err := os.ReadFile("CHANGELOG.md")
			if err != nil {
				return err
			}
			if err := product.Check(string(version), string(changelog), strings.Join(args, "")); err != nil {
				return failed{err}
			}
			note("version %s: VERSION and CHANGELOG.md agree%s", strings.TrimSpace(string(version)), map[bool]string{true: " with the tag"}[len(args) > 0])
			return nil
		},
	}
}
