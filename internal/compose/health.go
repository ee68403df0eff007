package compose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// probe is what a health check asks.
type probe struct {
	path    string // a GET of it, at port
	port    int
	command []string
	none    bool
}

var (
	localURL = regexp.MustCompile(`https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::([0-9]+))?(/[A-Za-z0-9._~/-]*)?(['"\s);|]|$)`)
	getter   = regexp.MustCompile(`\b(curl|wget|urllib\.request|requests\.get|httpx\.get)\b`)
	// more is a check that asks for more than an answer.
	more = regexp.MustCompile(`\bgrep\b|\bjq\b|\s-[A-Za-z]*[dX]\b|--data|--request|--post|Authorization|&&`)
)

// asks reads a test. One that gets a page of the container's own is a path, for which the
// image needs no curl.
func asks(test []string) probe {
	if len(test) == 0 {
		return probe{}
	}
	var command []string
	switch test[0] {
	case "NONE":
		return probe{none: true}
	case "CMD":
		command = test[1:]
	case "CMD-SHELL":
		command = []string{"/bin/sh", "-c", strings.Join(test[1:], " ")}
	default:
		command = test
	}
	text := strings.Join(command, " ")
	found := localURL.FindAllStringSubmatch(text, -1)
	if len(found) != 1 || !getter.MatchString(text) || more.MatchString(text) || strings.HasPrefix(found[0][0], "https") {
		return probe{command: command}
	}
	p := probe{path: found[0][2], port: 80, command: command}
	if p.path == "" {
		p.path = "/"
	}
	if found[0][1] != "" {
		p.port, _ = strconv.Atoi(found[0][1])
	}
	return p
}

// probed is the check of a service: Compose's, or the Dockerfile's, which needs no word here;
// own is true for the first.
func (im *importer) probed(name string) (p probe, own bool) {
	s := im.project.Services[name]
	if s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 && !s.HealthCheck.Disable {
		return asks(im.images[name].healthTest), false
	}
	if s.HealthCheck.Disable {
		return probe{none: true}, true
	}
	return asks(slices.Clone(s.HealthCheck.Test)), true
}

// times are how often a check is asked and how long it may take, where Compose says so.
func times(h *types.HealthCheckConfig, interval, timeout, startPeriod *time.Duration, retries *int) {
	if h == nil {
		return
	}
	for _, pair := range []struct {
		to   *time.Duration
		from *types.Duration
	}{{interval, h.StartInterval}, {timeout, h.Timeout}, {startPeriod, h.StartPeriod}} {
		if pair.from != nil {
			*pair.to = max(time.Duration(*pair.from), time.Second)
		}
	}
	if h.Retries != nil {
		*retries = min(max(int(*h.Retries), 1), mostRetries) //nolint:gosec // it is at most 20 here
	}
}

// mostRetries is what a stack file allows.
const mostRetries = 20
