// Package release names releases. A release is an image and what the stack file says
// of the application: whatever `up` makes the same of has the same name.
package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Keys are the top-level keys of the configuration that shape a release, and come back
// with it. All others are the platform's: how and where it runs, what is in front of it
// and what watches it stay as they are today.
var Keys = []string{"backend", "build", "services", "routes", "schedules"}

// todays is what is below the key build and no part of a release: what is known of its
// vulnerabilities changes while it stays the same.
const todays = "scan"

// withoutTodays is the key build as a release has it; there is false where nothing else is said.
func withoutTodays(build string) (recorded string, there bool) {
	members := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(build), &members) != nil || members[todays] == nil {
		return build, true // what is no object is refused by whoever decodes it
	}
	delete(members, todays)
	return written(members, build), len(members) > 0
}

// WithTodays is the key build of a release, with what is no part of it from that of today.
func WithTodays(recorded, now string) string {
	members, other := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if json.Unmarshal([]byte(now), &other) != nil || recorded != "" && json.Unmarshal([]byte(recorded), &members) != nil {
		return recorded
	}
	delete(members, todays) // none has one, but by hand
	if other[todays] != nil {
		members[todays] = other[todays]
	}
	if recorded == "" && len(members) == 0 {
		return ""
	}
	return written(members, recorded)
}

// written has the members sorted, as Pulumi passes an object on.
func written(members map[string]json.RawMessage, otherwise string) string {
	text, err := json.Marshal(members)
	if err != nil {
		return otherwise
	}
	return string(text)
}

// Release is one that has run, and can be returned to.
type Release struct {
	// Name is what `tarot:releases.pin` takes.
	Name string
	// Image is the backend's image, and ImageID what that name meant when it ran.
	Image, ImageID string
	// Images are those of its services that have one of their own, by the services' names.
	Images map[string]string
	// Configuration is what the stack file said, without secrets: a key with its
	// namespace, and its value as Pulumi passes it on.
	Configuration map[string]string
	// Secrets are the names of the application's own secrets that were set. Their
	// values are never recorded: those of today are used.
	Secrets []string
	// Complete is true where the record is known to hold all of that. Records of before
	// 2026-11 left out a whole object where a secret was in it.
	Complete bool
	// Application is what the application said of itself, as JSON.
	Application string
	// Created is when it ran first, or again after another one.
	Created time.Time
	// Sequence orders a stack's releases: the one that ran last has the highest.
	Sequence int
	// Before names the release that is returned to from this one: the one that ran
	// before it did for the first time, or for another time but by a rollback.
	Before string
	// PinnedBy is who has returned to it; empty where it was not a rollback.
	PinnedBy string
	// Unfinished is true for one that users have got, and whose `up` failed after that.
	Unfinished bool
	// Record is the name of what keeps all this, and Stack the prefix of the stack
	// that ran it. Labels are the record as it was written.
	Record, Stack string
	Labels        map[string]string
}

// AllImages are the backend's image and those of the services, each once.
func (r Release) AllImages() []string {
	all := []string{r.Image}
	for _, name := range slices.Sorted(maps.Keys(r.Images)) {
		if !slices.Contains(all, r.Images[name]) {
			all = append(all, r.Images[name])
		}
	}
	return all
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

// New names a release of an image and of its services' own ones, of what the configuration
// says of it (Keys), and of the names of the secrets that it has. Their values are no part of
// it: a password that was rotated because it had leaked must not come back.
func New(image string, images, configuration map[string]string, secrets []string, namespace string) Release {
	r := Release{Image: image, Images: images, Configuration: map[string]string{}, Secrets: slices.Sorted(slices.Values(secrets)), Complete: true}
	for _, key := range Keys {
		value, set := configuration[namespace+":"+key]
		if key == "build" && set {
			value, set = withoutTodays(value)
		}
		if set && (value != "{}" || key == "backend" || key == "build") { // to name none is to say nothing
			r.Configuration[namespace+":"+key] = value
		}
	}
	of := []any{image, r.Configuration, r.Secrets}
	if len(images) > 0 {
		of = append(of, images)
	}
	text, _ := json.Marshal(of) // strings always marshal, and maps in order
	sum := sha256.Sum256(text)
	r.Name = "r" + hex.EncodeToString(sum[:5])
	return r
}
