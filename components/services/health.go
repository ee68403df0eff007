package services

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// steady is how long a service without a check has to run without ending, to count as started.
const steady = 5 * time.Second

// health is what the configuration says. Where it says nothing, the image's own check is that
// of the image's own program; of another one there is only its port to be asked.
func health(cfg config.Service) workload.Health {
	said := cfg.Health
	h := workload.Health{Interval: said.Interval, Timeout: said.Timeout, StartPeriod: said.StartPeriod, Retries: said.Retries}
	switch {
	case len(said.Command) > 0:
		h.Test = slices.Concat([]string{"CMD"}, said.Command)
	case said.Path != "":
		h.Test = asksHTTP(cmp.Or(said.Port, cfg.Port), said.Path)
	case said.Port != 0:
		h.Test = connects(said.Port)
	case said.None || len(cfg.Command) > 0 && cfg.Port == 0:
		return workload.Health{Steady: steady}
	case len(cfg.Command) > 0:
		h.Test = connects(cfg.Port)
	}
	return h
}

// asksHTTP is the test of what answers a GET of the path at the port with 2xx or 3xx.
func asksHTTP(port int, path string) []string {
	return python("import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()", fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
}

// connects is the test of what takes connections at the port.
func connects(port int) []string {
	return python("import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()", strconv.Itoa(port))
}

// python is a line of Python: curl and wget are in hardly an image. -I, as the program's own
// folder and variables are none of the check's.
func python(line, argument string) []string {
	return []string{"CMD", "python3", "-I", "-c", line, argument}
}
