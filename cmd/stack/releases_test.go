package main

import (
	"slices"
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

func TestWhatCanBeRotatedFollowsFromTheParts(t *testing.T) {
	for name, test := range map[string]struct {
		config map[string]setting
		want   []string
	}{
		"nothing said": {nil, []string{"jwtSecretKey", "adminPassword"}},
		"Grafana": {map[string]setting{"tarot:monitoring": {Value: `{"enabled":true}`}, "tarot:adminPassword": {}, "other:key": {Value: "x"}},
			[]string{"jwtSecretKey", "adminPassword", "grafanaPassword"}},
		"no Grafana": {map[string]setting{"tarot:monitoring": {Value: `{"enabled":true,"grafana":{"enabled":false}}`}}, []string{"jwtSecretKey", "adminPassword"}},
	} {
		if got, err := rotatable(test.config); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, test.want)
		}
	}
}
