// Command bench measures the platform beside its peers, on this machine and in
// one run, and reports ratios: times on their own say more about the machine.
//
//	make bench                           all figures; writes docs/benchmarks.md
//	BENCH_QUICK=1 make bench             one short round of each, to see that all works; writes build/benchmarks.md
//	BENCH_ONLY=up,load make bench        some of up, unchanged, size, load, clone; writes build/benchmarks.md
//	BENCH_COLD=1 make bench              also the time from clone with nothing cached: half an hour of compiling
//
// It has a state, names, ports, networks and volumes of its own, so that it can
// run beside a user's stack, and removes what it has made.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	root    string // of the project
	work    string // a folder for this run
	id      string // in the name of everything that it makes
	quick   bool
	rounds  int // of what takes seconds
	compose []string
	machine machine
	before  map[string]bool // images that were there
	stacks  int
	subnets []int
	undo    []func(context.Context) error
}

// figures in the order in which they are measured. Where one depends on caches,
// it makes them itself.
var figures = []struct {
	name    string
	measure func(*bench, context.Context, *report) error
}{
	{"up", (*bench).firstUp},
	{"unchanged", (*bench).unchanged},
	{"size", (*bench).size},
	{"load", (*bench).load},
	{"clone", (*bench).fromClone},
}

func run(ctx context.Context) (err error) {
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cleanUp()) }()
	only, err := chosen(os.Getenv("BENCH_ONLY"))
	if err != nil {
		return err
	}
	r := &report{machine: b.machine}
	started := time.Now()
	for _, f := range figures {
		if len(only) > 0 && !slices.Contains(only, f.name) {
			continue
		}
		say("==> %s", f.name)
		if failure := f.measure(b, ctx, r); failure != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// The others are worth measuring all the same.
			say("fail  %s: %v", f.name, failure)
			r.notMeasured(f.name, failure)
			err = errors.Join(err, errors.New("not measured: "+f.name))
		}
	}
	if os.Getenv("BENCH_COLD") != "" {
		say("==> from clone, cold")
		if failure := b.coldClone(ctx, r); failure != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			say("fail  cold: %v", failure)
			err = errors.Join(err, errors.New("not measured: cold"))
		}
	}
	r.took = time.Since(started)
	// The committed page is of whole runs only.
	return errors.Join(err, r.write(b.root, b.quick || len(only) > 0 || err != nil, b.quick))
}

func chosen(list string) ([]string, error) {
	var names []string
	for _, f := range figures {
		names = append(names, f.name)
	}
	only := strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
	for _, name := range only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("BENCH_ONLY: %q; known are %s", name, strings.Join(names, ", "))
		}
	}
	return only, nil
}

func newBench(ctx context.Context) (*bench, error) {
	root, err := filepath.Abs(os.Getenv("BENCH_ROOT"))
	if err != nil || !exists(filepath.Join(root, "Pulumi.yaml")) {
		return nil, fmt.Errorf("BENCH_ROOT=%s is not the project; run scripts/bench.sh", os.Getenv("BENCH_ROOT"))
	}
	id := make([]byte, 3)
	_, _ = rand.Read(id)
	b := &bench{root: root, id: "bench-" + hex.EncodeToString(id), quick: os.Getenv("BENCH_QUICK") != "", rounds: 3,
		compose: strings.Fields(os.Getenv("BENCH_COMPOSE"))}
	if b.quick {
		b.rounds = 1
	}
	if b.machine, err = b.describeMachine(ctx); err != nil {
		return nil, err
	}
	if b.before, err = images(ctx); err != nil {
		return nil, err
	}
	if b.work, err = os.MkdirTemp("", "tarot-bench-"); err != nil {
		return nil, err
	}
	// Containers run as another user, and have to read the mounted code.
	if err := os.Chmod(b.work, 0o755); err != nil { //nolint:gosec // on purpose
		return nil, err
	}
	b.later(func(context.Context) error { return os.RemoveAll(b.work) })
	b.later(b.removeImages)
	return b, nil
}

// later has something undone at the end, the last thing first, however the run ends.
func (b *bench) later(undo func(context.Context) error) { b.undo = append(b.undo, undo) }

func (b *bench) cleanUp() error {
	say("==> cleaning up")
	// An interrupted run has to clean up, too.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var err error
	for _, undo := range slices.Backward(b.undo) {
		err = errors.Join(err, undo(ctx))
	}
	return errors.Join(err, b.leftovers(ctx))
}

// shorter is the duration, or a second of it in a quick run.
func (b *bench) shorter(d time.Duration) time.Duration {
	if b.quick {
		return time.Second
	}
	return d
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
