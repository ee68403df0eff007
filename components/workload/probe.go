package workload

import (
	_ "embed" // the script
	"errors"
	"strconv"
)

// ErrNoHealthCheck is what a workload has that nobody could call healthy: neither its
// description nor its image says how.
var ErrNoHealthCheck = errors.New("it has no health check")

// probeScript asks by whatever program an image has (docs/adr/0015).
//
//go:embed probe.sh
var probeScript string

// AsksHTTP is the test of a container that answers a GET of the path at the port with 2xx
// or 3xx. host is the name that it is asked by.
func AsksHTTP(port int, path, host string) []string {
	return append(Connects(port), path, host)
}

// Connects is the test of a container that takes connections at the port.
func Connects(port int) []string {
	return []string{"CMD", "/bin/sh", "-c", probeScript, "probe", strconv.Itoa(port)}
}
