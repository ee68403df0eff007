package config

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Health is a health check. What is asked is the image's HEALTHCHECK, or one of `command`,
// `path` and `port` in its place. All run inside the container.
type Health struct {
	// A command that ends with 0 while the application is healthy. It has the application's
	// environment.
	Command []string `key:"command" allowed:"a list of words; empty where backend.health.path or backend.health.port is set"`
	// A path that answers a GET with 2xx or 3xx, at `backend.port`, asked by the first of
	// `nginx.serverNames`. The image needs bash, Python or wget.
	Path string `key:"path" allowed:"empty, or a path that begins with /: letters, digits, . _ ~ - and /"`
	// A port that takes connections. The image needs bash, Python or wget. 0: none.
	Port int `key:"port" allowed:"0, or a whole number from 1 to 65535"`
	// The time between two checks until one passes, and after one that has failed. While they pass it is 15s, where this one is not longer.
	Interval time.Duration `key:"interval" allowed:"a duration of at least 1s"`
	// The time after which a check counts as failed.
	Timeout time.Duration `key:"timeout" allowed:"a duration of at least 1s"`
	// The time from the start in which a failed check does not count.
	StartPeriod time.Duration `key:"startPeriod" allowed:"a duration of at least 1s"`
	// How many failed checks in a row make a container unhealthy.
	Retries int `key:"retries" allowed:"a whole number from 1 to 20"`
}

// healthPath may end in a slash, which for many frameworks is another path.
var healthPath = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)

func (h Health) check(c *checker) {
	c.want(h.Path == "" || healthPath.MatchString(h.Path), "backend.health.path", h.Path)
	c.between("backend.health.port", h.Port, 0, 65535)
	c.want(h.Interval >= time.Second, "backend.health.interval", h.Interval)
	c.want(h.Timeout >= time.Second, "backend.health.timeout", h.Timeout)
	c.want(h.StartPeriod >= time.Second, "backend.health.startPeriod", h.StartPeriod)
	c.between("backend.health.retries", h.Retries, 1, 20)
	var set []string
	for _, way := range []struct {
		key string
		set bool
	}{{"command", len(h.Command) > 0}, {"path", h.Path != ""}, {"port", h.Port != 0}} {
		if way.set {
			set = append(set, "backend.health."+way.key)
		}
	}
	if len(set) > 1 {
		c.add(Fault{Namespace, "backend.health", fmt.Sprintf("%q", strings.Join(set, " and ")),
			"at most one of command, path and port, as there is one health check"})
	}
}

// HealthPath is what a release is asked through nginx, and answers with 200.
func (b Backend) HealthPath() string { return cmp.Or(b.Paths.Health, b.Health.Path, "/health") }
