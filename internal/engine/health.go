package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

const (
	// notStarted is how many health checks in a row may fail to start before the
	// container is given up. The root file system is read-only and what is writable
	// is no place for programs: one that is not there now will not come.
	notStarted = 3
	// checkShown is how much of a health check's output an error shows, in bytes, and
	// checksShown how many different ones.
	checkShown, checksShown = 500, 3
	// refused is how many health checks by path in a row, and refusedFor after the start, may be
	// answered by 4xx before the container is given up: who answers is there, and doesn't know the
	// page. Docker itself counts none before the start period is over. The engine remembers five.
	refused    = 5
	refusedFor = 15 * time.Second
)

var errCheckCannotRun = errors.New("its health check can't run in this image: it needs a program that is there and that the user may start")

// ErrCheckRefused is a health check by path, time after time, of a page that the program does
// not give.
var ErrCheckRefused = errors.New("it runs, and refuses what its health check asks for")

// failedChecks are the container's last health checks, as far as they have failed in
// a row; the engine remembers five.
func failedChecks(state *container.State) []*container.HealthcheckResult {
	if state == nil || state.Health == nil {
		return nil
	}
	log := state.Health.Log
	for i := len(log) - 1; i >= 0; i-- {
		if log[i].ExitCode == 0 {
			return log[i+1:]
		}
	}
	return log
}

// checkCannotRun is true where the last health checks have not even started: no
// program, or none that may be executed. A shell says so with 127 and 126, or in its own
// words where the check makes another number of them (`curl … || exit 1`), the engine in
// words of its own. Any other end is the check's, and may become another one; and so it
// is with a check that has a second try (`curl … || wget …`).
func checkCannotRun(c container.InspectResponse) bool {
	if c.ContainerJSONBase == nil || c.Config == nil || c.Config.Healthcheck == nil || !oneProgram(c.Config.Healthcheck.Test) {
		return false
	}
	failed := failedChecks(c.State)
	if len(failed) < notStarted {
		return false
	}
	return !slices.ContainsFunc(failed[len(failed)-notStarted:], func(r *container.HealthcheckResult) bool { return !notFound(r) })
}

// hopeless is why the next health checks will fail as the last ones did; nil: they may not.
func (e *Engine) hopeless(c container.InspectResponse) error {
	if checkCannotRun(c) {
		return errCheckCannotRun
	}
	if c.ContainerJSONBase == nil {
		return nil
	}
	failed := failedChecks(c.State)
	if len(failed) < refused || e.since(startedAt(c.State)) < refusedFor {
		return nil
	}
	for _, r := range failed {
		if !refusal.MatchString(r.Output) {
			return nil
		}
	}
	return ErrCheckRefused
}

var (
	// refusal is what the platform's own check by path says of 4xx, but for those that tell to
	// come again (408, 425, 429).
	refusal = regexp.MustCompile(`^GET \S+ from port \d+: (?s:.*?)HTTP/\S+ 4(0[0-79]|1\d|2[0-46-8]|[3-9]\d)\b`)
	// ofOneProgram is a shell's text without a second one, but for what it exits with.
	ofOneProgram = regexp.MustCompile(`^[^|;&\n]*(\|\|\s*(exit\s+\d+|false)\s*)?$`)
	// missing is a shell's whole output where it does not find a program.
	missing = regexp.MustCompile(`^\S*sh: (line )?(\d+: )?\S+: (command )?not found$`)
)

// oneProgram looks at the end of the test, which is the image's own: what the platform
// puts around it comes before. A text for a shell follows a -c.
func oneProgram(test []string) bool {
	if len(test) < 2 {
		return false
	}
	before, last := test[len(test)-2], test[len(test)-1]
	if before != "CMD-SHELL" && !(strings.HasPrefix(before, "-") && strings.HasSuffix(before, "c")) {
		return true
	}
	return ofOneProgram.MatchString(strings.TrimSpace(last))
}

func notFound(r *container.HealthcheckResult) bool {
	switch r.ExitCode {
	case 126, 127:
		return true
	case -1: // also one that took too long
		return slices.ContainsFunc([]string{"executable file not found", "no such file or directory", "permission denied"},
			func(says string) bool { return strings.Contains(r.Output, says) })
	}
	return missing.MatchString(strings.TrimSpace(r.Output))
}

// saidByCheck is what the failed health checks have said, for an error; nothing where
// none has failed.
func saidByCheck(state *container.State) string {
	failed := failedChecks(state)
	var said []string
	for _, r := range slices.Backward(failed) {
		text := strings.TrimSpace(r.Output)
		if len(text) > checkShown {
			text = strings.ToValidUTF8(text[:checkShown], "") + " …"
		}
		if r.ExitCode >= 0 {
			text = strings.TrimSuffix(fmt.Sprintf("exit code %d: %s", r.ExitCode, text), ": ")
		}
		if !slices.Contains(said, text) && len(said) < checksShown {
			said = append(said, text)
		}
	}
	if len(said) == 0 {
		return ""
	}
	slices.Reverse(said)
	return "\nits health check says:\n" + strings.Join(said, "\n")
}

// checkOf is a task's container, whose health is asked for only to tell more; nothing
// where it is on another node, or gone.
func (e *Engine) checkOf(ctx context.Context, t swarm.Task) container.InspectResponse {
	none := container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{}}
	if t.Status.ContainerStatus == nil || t.Status.ContainerStatus.ContainerID == "" {
		return none
	}
	c, err := e.api.ContainerInspect(ctx, t.Status.ContainerStatus.ContainerID)
	if err != nil || c.ContainerJSONBase == nil {
		return none
	}
	return c
}
