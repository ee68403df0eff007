package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// remembered is how far back the engine is asked for what became of a container: longer than
// any start takes.
const remembered = time.Hour

// outOfMemory tells how often something in a container was killed for want of memory; empty:
// never, or nobody knows. Where it was a worker, and not the program that started it, neither
// the container's state nor, mostly, its log says so.
func (e *Engine) outOfMemory(ctx context.Context, container string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	now := time.Now()
	at := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	// With an end, the engine answers with what it remembers, and ends.
	said, failed := e.api.Events(ctx, events.ListOptions{Since: at(now.Add(-remembered)), Until: at(now.Add(time.Second)),
		Filters: filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)), filters.Arg("event", string(events.ActionOOM)), filters.Arg("container", container))})
	for times := 0; ; {
		select {
		case <-said:
			times++
		case <-failed:
			if times == 0 {
				return ""
			}
			return fmt.Sprintf("\nit wanted more memory than its limit (`memory` in the stack file), and a process in it was killed: %d times", times)
		}
	}
}
