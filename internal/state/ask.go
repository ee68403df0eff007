package state

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Tries is how often the CLI is asked, and pause the time between two questions.
const (
	tries = 3
	pause = 200 * time.Millisecond
)

// Ask runs Pulumi's CLI with a question, and returns what it prints. It is asked again
// where it fails, as an `up` may be writing what it reads: a state in a folder has a file
// beside it (.attrs) that is empty for a moment each time, which the CLI ends at with
// "failed to load checkpoint: EOF". Nothing that changes something may be asked so.
func Ask(ctx context.Context, args ...string) ([]byte, error) {
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, "pulumi", append(args, "--non-interactive")...)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err == nil {
			return out, nil
		}
		err = fmt.Errorf("pulumi %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
		if try == tries {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}
