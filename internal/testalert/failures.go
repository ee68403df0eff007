package testalert

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/engine"
)

// failures are what the receivers answered, each once.
func (a alertmanager) failures(ctx context.Context, container engine.LogSource, to receivers, since time.Time) ([]string, error) {
	var all []string
	err := a.docker.Follow(ctx, container, since.UTC().Format(time.RFC3339Nano), false, func(line engine.Line) {
		if text := failureOf(line.Text, to); text != "" {
			all = append(all, text)
		}
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// integration is how the log names a receiver: its kind, and which of those it is.
var integration = regexp.MustCompile(`^([a-z]+)\[(\d+)\]$`)

// failureOf reads a line of Alertmanager's log: "feishu: unexpected status code 503: …".
// Empty: it is about something else.
func failureOf(line string, to receivers) string {
	var entry struct{ Integration, Err string }
	if json.Unmarshal([]byte(line), &entry) != nil || entry.Err == "" {
		return "" // what is no JSON tells of no message
	}
	found := integration.FindStringSubmatch(entry.Integration)
	if found == nil {
		return ""
	}
	name := found[1]
	if i, err := strconv.Atoi(found[2]); err == nil && name == "webhook" && i < len(to.webhooks) {
		name = to.webhooks[i]
	}
	return fmt.Sprintf("%s: %s", name, strings.ReplaceAll(strings.TrimSpace(entry.Err), "\n", " "))
}
