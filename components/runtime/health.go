package runtime

import (
	"cmp"
	_ "embed" // the script
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"tarot-platform/components/workload"
)

// healthScript makes several checks of one start by the engine (docs/adr/0011).
//
//go:embed health.sh
var healthScript string

const (
	// passing is the time between two checks of what has passed the last one, where the
	// workload names no other, and its own interval is not longer.
	passing = 15 * time.Second
	// held is for how long the engine's start of a check goes on with the next ones, where the
	// workload does not say.
	held = 5 * time.Minute
	// late is what a loaded machine adds to them.
	late = 5 * time.Second
)

// check is a workload's health check as the engine is told it.
type check struct {
	// Test is the command in the engine's form.
	Test pulumi.StringArrayOutput
	// Timeout is the engine's for one start of it. That of the workload is kept inside.
	Timeout time.Duration
}

// healthCheck turns a workload's health test into what the engine runs, in both runtimes.
// loads: it needs the environment file, as what the engine runs in a container gets only
// the variables that the engine knows.
//
// All that is to be around a test belongs here, as lines of a POSIX shell script before
// the one that makes the checks: they run once a start. The test's output and exit code
// are the answer, unchanged.
//
// The interval, the start period and the retries stay the engine's, as it sees every
// failure by itself: only while a check passes, it sees one result for many.
func healthCheck(w workload.Workload, loads bool) check {
	if w.Health.Steady > 0 {
		return check{Test: pulumi.ToStringArray([]string{"NONE"}).ToStringArrayOutput()}
	}
	if w.Health.Direct {
		return check{Test: pulumi.ToStringArray(w.Health.Test).ToStringArrayOutput(), Timeout: w.Health.Timeout}
	}
	test := w.Image.Health
	if len(w.Health.Test) > 0 {
		test = pulumi.ToStringArray(w.Health.Test).ToStringArrayOutput()
	}
	pause := max(w.Health.Interval, cmp.Or(w.Health.Passing, passing))
	hold := max(pause, cmp.Or(w.Health.Held, held))
	script := healthScript
	script = w.Preamble(loads, "exit 1") + script
	start := []string{"CMD", "/bin/sh", "-c", script, "health", seconds(pause), seconds(hold), seconds(w.Health.Timeout)}
	return check{
		Test: test.ApplyT(func(test []string) []string {
			if len(test) == 1 && test[0] == "NONE" {
				return nil // the image's own word, and nobody's wish here
			}
			if len(test) < 2 || test[0] != "CMD" {
				return test // none, which the gate tells
			}
			return append(slices.Clone(start), test[1:]...)
		}).(pulumi.StringArrayOutput),
		Timeout: hold + w.Health.Timeout + late,
	}
}

// requireHealth refuses a workload that nobody could call healthy. In an update it waits for
// the image, which may have a check of its own.
func requireHealth(ctx *pulumi.Context, w workload.Workload) error {
	if ctx.DryRun() || len(w.Health.Test) > 0 || w.Health.Steady > 0 {
		return nil
	}
	known, err := internals.UnsafeAwaitOutput(ctx.Context(), w.Image.Health)
	if err != nil {
		return err
	}
	if test, _ := known.Value.([]string); known.Known && (len(test) < 2 || test[0] == "NONE") {
		return fmt.Errorf("image %s: %w", w.Image.Reference, workload.ErrNoHealthCheck)
	}
	return nil
}

// seconds are at least one: a shell's sleep need not know parts of it.
func seconds(d time.Duration) string { return strconv.Itoa(int(max(d, time.Second) / time.Second)) }
