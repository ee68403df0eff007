package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/notice"
	stackturn "tarot-platform/internal/turn"
)

// turn is the stack's, for this update: whoever else wants to change it is refused meanwhile, and what
// became of it is in the stack's history.
type turn struct {
	// operation is what this update is a step of, or is itself.
	operation string
	taken     *stackturn.Turn
	// taking is locked until it is known whether there is a turn to end.
	taking sync.Mutex
	// over is true once Pulumi doesn't listen any more.
	over atomic.Bool
}

// take takes the turn, before anything is asked or touched that somebody else may be at. A preview
// changes nothing, and takes none.
func (t *turn) take(ctx *pulumi.Context, docker *engine.Engine, cfg config.Config) (err error) {
	t.operation = os.Getenv(components.RunVariable)
	if ctx.DryRun() {
		return nil
	}
	t.taking.Lock()
	defer t.taking.Unlock()
	t.watch(os.Getenv(pulumi.EnvEngine))
	s := stackturn.Stack{Name: ctx.Stack(), Prefix: ctx.Project() + "-" + ctx.Stack(), Engine: docker, Tell: func(text string) {
		if t.over.Load() || ctx.Log.Warn(text, nil) != nil {
			fmt.Fprintln(os.Stderr, text)
		}
	}}
	if cfg.Monitoring.Alerts.DeployNotices {
		s.Told = notice.Teller(docker, s.Prefix, s.Tell)
	}
	operation, detail := engine.Up, ""
	if said := os.Getenv(components.OperationVariable); said != "" {
		var kind string
		kind, detail, _ = strings.Cut(said, " ")
		operation = engine.Operation(kind)
	}
	if t.taken, err = s.Take(ctx.Context(), operation, detail, t.operation); err != nil {
		return err
	}
	t.operation = t.taken.Run()
	t.taken.Beat(context.Background(), engine.SignEvery, t.die)
	return nil
}

// end ends it.
func (t *turn) end(result error) {
	t.over.Store(true)
	if t.taken != nil {
		t.taken.End(context.Background(), result)
	}
}

// die ends the program in the midst of its work.
func (t *turn) die(why error) {
	t.taking.Lock()
	fmt.Fprintln(os.Stderr, why)
	t.end(why)
	os.Exit(1)
}

// askPulumi is how often Pulumi is asked whether it is there.
const askPulumi = time.Second

// watch has the turn end where this program is told to, or Pulumi was killed: nothing can be declared any
// more then, and who comes next should not wait for what this program would find out in minutes.
func (t *turn) watch(address string) {
	// Where Pulumi is gone nobody reads what this program says, and a word more would end it before the turn is.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		said := <-signals
		t.die(fmt.Errorf("%s: %w", said, context.Canceled))
	}()
	go func() {
		for refused := 0; refused < 2; time.Sleep(askPulumi) {
			connection, err := net.DialTimeout("tcp", address, askPulumi)
			switch {
			case err == nil:
				refused = 0
				_ = connection.Close()
			case errors.Is(err, syscall.ECONNREFUSED):
				refused++
			}
		}
		t.die(errors.New("pulumi was killed"))
	}()
}
