package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
)

func scaleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scale SERVICE REPLICAS",
		Short: "another number of replicas: in the stack's file, and by `pulumi up`",
		Long: "For backend and the services of tarot:services. What the stack's file would not allow is refused before it is written.\n" +
			"No other replica restarts. Exit code 0: they run; 1: it was not done.",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := theStack(cmd.Context())
			if err == nil {
				err = d.scale(cmd.Context(), args[0], args[1])
			}
			if err != nil {
				return failed{err}
			}
			return nil
		},
	}
}

func (d deployed) scale(ctx context.Context, service, replicas string) error {
	cfg, err := d.configuration(ctx)
	if err != nil {
		return err
	}
	path, err := scaled(cfg, service, replicas)
	if err != nil {
		return err
	}
	held, open, err := d.docker.Operating(ctx, d.prefix)
	if err == nil && open {
		err = held.Unfinished(d.name)
	}
	if err != nil {
		return err
	}
	if err := d.set(ctx, path, replicas); err != nil {
		return err
	}
	note("%s is %s in %s", path, replicas, fileOf(d.name))
	return d.up(ctx)
}

// scaled is the path of the value, where it may be what is wanted.
func scaled(cfg config.Config, service, replicas string) (path string, err error) {
	n, err := strconv.Atoi(replicas)
	if err != nil || n < 1 {
		return "", fmt.Errorf("REPLICAS is %q; allowed: 1 and more", replicas)
	}
	if cfg.Releases.Pin != "" {
		return "", fmt.Errorf("%s is %s, and that release has its own number of replicas: stack forward first", pin, cfg.Releases.Pin)
	}
	before := cfg
	if service == config.BackendName {
		cfg.Backend.Replicas = n
		return config.Namespace + ":backend.replicas", allowed(before, cfg)
	}
	s, there := cfg.Services[service]
	if !there {
		return "", fmt.Errorf("SERVICE is %q; allowed: %s", service, strings.Join(append([]string{config.BackendName}, slices.Sorted(maps.Keys(cfg.Services))...), ", "))
	}
	s.Replicas = n
	cfg.Services = maps.Clone(cfg.Services)
	cfg.Services[service] = s
	return config.Namespace + ":services." + service + ".replicas", allowed(before, cfg)
}

// allowed is an error where a configuration that was one would be none. Its secrets are not known
// here: what was wrong before is told by the `up`.
func allowed(before, after config.Config) error {
	if err := after.Validate(); err != nil && before.Validate() == nil {
		return fmt.Errorf("nothing is written: %w", err)
	}
	return nil
}
