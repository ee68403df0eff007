package main

import (
	"testing"
	"time"

	"tarot-platform/internal/release"
)

func TestAReleaseIsALine(t *testing.T) {
	r := release.Release{Name: "r0123456789", Image: "app:1", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if got := line(r, true, true); got != "* r0123456789  2026-01-02T03:04:05Z  app:1" {
		t.Error(got)
	}
	r.PinnedBy, r.Unfinished = "ann@example", true
	if got := line(r, false, false); got != "  r0123456789  2026-01-02T03:04:05Z  app:1 (not on this engine) (its `up` failed after users had it) (a rollback by ann@example)" {
		t.Error(got)
	}
}
