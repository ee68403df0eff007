package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/doctor"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// openTime is how long the engine may take to answer at all: what is broken often hangs.
const openTime = 3 * time.Second

func doctorCommand() *cobra.Command {
	var asJSON, everything bool
	cmd := &cobra.Command{
		Use:   "doctor STACK",
		Short: "looks for what is wrong with a stack, and says what to do",
		Long: "For when it is broken: also half up, or not up at all, without Pulumi's state, and where the engine does not answer. Nothing is changed.\n" +
			"What fails comes first, with the evidence and a command that mends it, then warnings, and what can't be told; what follows from another\n" +
			"fault is left out until that is mended. Each is explained in " + doctor.Page + ".\n" +
			"Exit code 0: nothing fails; 1: something does; 2: it can't be told.",
		Example: "  stack doctor prod\n  stack doctor prod --all\n  stack doctor prod --json | jq -r '.checks[] | select(.result == \"fail\") | .mend'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := examined(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			write := report.WriteBrief
			if everything {
				write = report.Write
			}
			return reported(asJSON, report, write, report.Has(checks.Fail), report.Has(checks.Unknown))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	cmd.Flags().BoolVarP(&everything, "all", "a", false, "what passes and what was left out, too")
	return cmd
}

func examined(ctx context.Context, name string) (checks.Report, error) {
	project, err := project()
	if err != nil {
		return checks.Report{}, err
	}
	forDev(name)
	s := doctor.Stack{Name: name, Prefix: project + "-" + name, Uplink: doctor.Uplink(), Resolver: doctor.Resolver(),
		State: func(ctx context.Context) (state.Whole, error) { return state.Read(ctx, name) }}
	if s.Config, s.ConfigError = fileConfiguration(name); s.ConfigError == nil {
		// What the application says of itself is more than the file's; without it, the file's has to do.
		if app, err := s.Config.ReadApplication(); err == nil {
			s.Config = s.Config.With(app)
		}
	}
	docker, err := openWithin(ctx, openTime)
	if err != nil {
		s.EngineError = err
		return doctor.Of(ctx, s), nil
	}
	s.Engine = docker
	s.About = doctor.About{Version: docker.Info.ServerVersion, API: docker.API(), Platform: docker.Platform(), Root: docker.Info.DockerRootDir,
		Local: docker.Local(), Host: docker.Host(), Manager: docker.CheckSwarm() == nil, Swarm: string(docker.Info.Swarm.LocalNodeState), Forwards: docker.Info.IPv4Forwarding}
	return doctor.Of(ctx, s), nil
}

// openWithin is an engine, or why there is none: one that hangs is not waited for.
func openWithin(ctx context.Context, within time.Duration) (*engine.Engine, error) {
	type opened struct {
		docker *engine.Engine
		err    error
	}
	said := make(chan opened, 1)
	ctx, cancel := context.WithTimeout(ctx, within)
	go func() {
		docker, err := engine.Open(ctx)
		said <- opened{docker, err}
	}()
	defer cancel()
	select {
	case o := <-said:
		return o.docker, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("docker engine: no answer within %s", within)
	}
}
