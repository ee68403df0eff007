package config

import (
	"slices"
	"strings"
)

// Preflight is the checklist that each `up` goes through before it touches anything:
// docs/operating.md.
type Preflight struct {
	// Checks that stop an `up` and are taken for a warning here, by their ids.
	Accept []string `key:"accept" allowed:"a list of backup, certificate, clock, disk, engine-version, images, memory and privileged-ports; each once"`
}

// Acceptable are the checks that somebody may know better of: what they find may go well. Of the others
// the engine or the program says no in any case, or data would be lost.
var Acceptable = []string{"backup", "certificate", "clock", "disk", "engine-version", "images", "memory", "privileged-ports"}

func (p Preflight) check(c *checker) {
	for i, id := range p.Accept {
		if slices.Contains(p.Accept[:i], id) || !slices.Contains(Acceptable, id) {
			c.want(false, "preflight.accept", strings.TrimSpace(id))
		}
	}
}
