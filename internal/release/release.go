// Package release names releases. A release is an image and a configuration:
// whatever `up` makes the same of has the same name.
package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// Release is one that has run, and can be returned to.
type Release struct {
	// Name is what `tarot:releases.pin` takes.
	Name string
	// Image is the backend's image.
	Image string
	// Configuration is what the stack file said, without secrets: a key with its
	// namespace, and its value as Pulumi passes it on.
	Configuration map[string]string
	// Application is what the application said of itself, as JSON.
	Application string
	// Created is when it ran first, or again after another one.
	Created time.Time
	// Sequence orders a stack's releases: the one that ran last has the highest.
	Sequence int
	// Before names the release that is returned to from this one: the one that ran
	// before it did for the first time, or for another time but by a rollback.
	Before string
	// Record is the name of what keeps all this, and Stack the prefix of the stack
	// that ran it.
	Record, Stack string
}

// Names lists the names, for an error.
func Names(all []Release) string {
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.Name
	}
	if len(names) == 0 {
		return "(there is none)"
	}
	return strings.Join(names, ", ")
}

// New names a release of an image and a configuration. What the configuration
// says of releases, of maintenance, of monitoring and of rotated secrets is no part
// of it: none of these is returned to.
func New(image string, configuration map[string]string, namespace string) Release {
	r := Release{Image: image, Configuration: maps.Clone(configuration)}
	for _, key := range []string{"releases", "maintenance", "monitoring", "secretVersions"} {
		delete(r.Configuration, namespace+":"+key)
	}
	text, _ := json.Marshal([]any{image, r.Configuration}) // strings always marshal, and maps in order
	sum := sha256.Sum256(text)
	r.Name = "r" + hex.EncodeToString(sum[:5])
	return r
}
