package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/logs"
)

// followers come up with new containers this often.
const lookAgain = time.Second

func logsCommand() *cobra.Command {
	var filter logs.Filter
	var service, since string
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs STACK",
		Short: "the logs of all that runs, line by line with the replica's name",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := filter.Check(); err != nil {
				return err
			}
			ago, err := time.ParseDuration(since)
			if err != nil || ago <= 0 {
				return fmt.Errorf("SINCE is %q; allowed: a time like 30s, 10m, 2h", since)
			}
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			r := reader{deployed: d, filter: filter, service: service, since: time.Now().Add(-ago)}
			if follow {
				return r.follow(cmd.Context())
			}
			return r.show(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&service, "service", "", "one workload: backend, nginx, migrate, ...")
	cmd.Flags().StringVar(&since, "since", "10m", "how far back")
	cmd.Flags().StringVar(&filter.Level, "level", "", "the least urgent level: "+strings.Join(logs.Levels, ", "))
	cmd.Flags().StringVar(&filter.Request, "request", "", "the id of one request (X-Request-ID)")
	cmd.Flags().BoolVar(&follow, "follow", true, "go on until interrupted")
	return cmd
}

type reader struct {
	deployed
	filter  logs.Filter
	service string
	since   time.Time

	mu    sync.Mutex
	lines []engine.Line
}

// sources are the containers that are asked for. None at all is an error: a
// service that is misspelt has no log either.
func (r *reader) sources(ctx context.Context) ([]engine.LogSource, error) {
	all, err := r.docker.LogSources(ctx, r.prefix)
	if err != nil {
		return nil, err
	}
	var names []string
	found := slices.DeleteFunc(slices.Clone(all), func(s engine.LogSource) bool {
		if !slices.Contains(names, s.Workload) {
			names = append(names, s.Workload)
		}
		return r.service != "" && s.Workload != r.service
	})
	slices.Sort(names)
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("stack %s has no containers on this engine", r.name)
	case len(found) == 0:
		return nil, fmt.Errorf("SERVICE is %q; allowed: %s", r.service, strings.Join(names, ", "))
	}
	return found, nil
}

// show prints what there is, in the order of time.
func (r *reader) show(ctx context.Context) error {
	sources, err := r.sources(ctx)
	if err != nil {
		return err
	}
	for _, source := range sources {
		if err := r.docker.Follow(ctx, source, r.since.Format(time.RFC3339Nano), false, r.keep); err != nil {
			return err
		}
	}
	slices.SortStableFunc(r.lines, func(a, b engine.Line) int { return a.Time.Compare(b.Time) })
	for _, line := range r.lines {
		r.print(line)
	}
	return nil
}

func (r *reader) keep(line engine.Line) {
	if r.filter.Wants(line.Text) {
		r.lines = append(r.lines, line)
	}
}

// follow prints what comes, also of containers that come later or start again.
func (r *reader) follow(ctx context.Context) error {
	ends := make(chan end)
	from := map[string]time.Time{} // of those that are not followed
	followed := map[string]bool{}
	for {
		sources, err := r.sources(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, source := range sources {
			since, ended := from[source.ID]
			if followed[source.ID] || ended && !source.Running {
				continue
			}
			if !ended {
				since = r.since
			}
			followed[source.ID] = true
			go func() {
				err := r.docker.Follow(ctx, source, since.Format(time.RFC3339Nano), true, r.pick)
				select {
				case ends <- end{source.ID, err}:
				case <-ctx.Done():
				}
			}()
		}
		again := time.After(lookAgain)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case e := <-ends:
				if e.err != nil {
					return e.err
				}
				followed[e.id], from[e.id] = false, time.Now()
			case <-again:
				waiting = false
			}
		}
	}
}

// end of a container's log.
type end struct {
	id  string
	err error
}

func (r *reader) pick(line engine.Line) {
	if r.filter.Wants(line.Text) {
		r.print(line)
	}
}

func (r *reader) print(line engine.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Printf("%-20s %s\n", line.Container, line.Text)
}
