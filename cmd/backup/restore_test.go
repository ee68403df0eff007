package main

import (
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
)

func day(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }

func TestChosenHistory(t *testing.T) {
	all := map[int]results.History{1: {First: day(1), Last: day(9)}, 2: {First: day(5), Last: day(6)}, 3: {First: day(7), Last: day(8)}}
	for _, c := range []struct {
		at     time.Time
		moment bool
		want   int
	}{
		{moment: false, want: 1}, // an older one that somebody still writes: it is the newest
		{at: day(3), moment: true, want: 1},
		{at: day(6), moment: true, want: 2},
		{at: day(20), moment: true, want: 3},
		{at: day(1).Add(-time.Hour), moment: true, want: 0},
	} {
		n, err := chosen(all, c.at, c.moment)
		if n != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%+v: %d, %v", c, n, err)
		}
		if err != nil && !strings.Contains(err.Error(), "2026-11-01") {
			t.Errorf("it does not say how far back: %v", err)
		}
	}
}

func TestPickedSnapshot(t *testing.T) {
	all := []snapshot{{ID: "aaaaaaaa11", Time: day(1)}, {ID: "bbbbbbbb22", Time: day(2)}, {ID: "cccccccc33", Time: day(3)}}
	for _, c := range []struct {
		wanted string
		at     time.Time
		moment bool
		want   string
	}{
		{wanted: "latest", want: "cccccccc33"},
		{wanted: "bbbbbbbb", want: "bbbbbbbb22"},
		{wanted: "a moment", at: day(2).Add(time.Hour), moment: true, want: "bbbbbbbb22"},
		{wanted: "a moment", at: day(1).Add(-time.Hour), moment: true},
		{wanted: "dddddddd"},
	} {
		s, err := picked(all, c.wanted, c.at, c.moment)
		if s.ID != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v", c, s.ID, err)
		}
	}
	if _, err := picked(nil, "latest", time.Time{}, false); err == nil || !strings.Contains(err.Error(), "--only database") {
		t.Errorf("none: %v", err)
	}
}
