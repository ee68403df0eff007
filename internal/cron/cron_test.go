package cron

import (
	"slices"
	"testing"
	"time"
)

// due are the next times after one, in the zone.
func due(t *testing.T, expression, zone, after string, n int) (all []string) {
	t.Helper()
	s, err := Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, after)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		at = s.Next(at)
		all = append(all, at.In(s.zone).Format(time.RFC3339))
	}
	return all
}

func TestWhenItIsDue(t *testing.T) {
	for name, test := range map[string]struct {
		expression, zone, after string
		want                    []string
	}{
		"each minute":           {"* * * * *", "UTC", "2026-05-01T10:00:30Z", []string{"2026-05-01T10:01:00Z", "2026-05-01T10:02:00Z"}},
		"not at once again":     {"* * * * *", "UTC", "2026-05-01T10:01:00Z", []string{"2026-05-01T10:02:00Z"}},
		"daily":                 {"@daily", "Asia/Shanghai", "2026-05-01T10:00:00Z", []string{"2026-05-02T00:00:00+08:00"}},
		"on weekdays":           {"0 3 * * 1-5", "UTC", "2026-05-01T10:00:00Z", []string{"2026-05-04T03:00:00Z", "2026-05-05T03:00:00Z"}},
		"a leap day":            {"0 0 29 2 *", "UTC", "2026-05-01T10:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		"left out in spring":    {"30 2 * * *", "Europe/Zurich", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
		"twice in autumn":       {"30 2 * * *", "Europe/Zurich", "2026-10-24T12:00:00Z", []string{"2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
		"between the two":       {"30 2 * * *", "Europe/Zurich", "2026-10-25T01:10:00Z", []string{"2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
		"each hour, in autumn":  {"30 * * * *", "Europe/Zurich", "2026-10-25T00:00:00Z", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
		"each hour, in spring":  {"30 * * * *", "Europe/Zurich", "2026-03-29T00:00:00Z", []string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"}},
		"every second, by wall": {"0 */2 * * *", "Europe/Zurich", "2026-10-24T23:00:00Z", []string{"2026-10-25T02:00:00+01:00", "2026-10-25T04:00:00+01:00"}},
	} {
		if got := due(t, test.expression, test.zone, test.after, len(test.want)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestWhatIsNoSchedule(t *testing.T) {
	for _, test := range [][2]string{{"", "UTC"}, {"* * * *", "UTC"}, {"* * * * * *", "UTC"}, {"60 * * * *", "UTC"}, {"@every 1h", "UTC"}, {"0 0 30 2 *", "UTC"},
		{"CRON_TZ=UTC * * * * *", "UTC"}, {"@midday", "UTC"}, {"* * * * *", "Mars/Olympus"}, {"* * * * *", ""}, {"* * * * *", "Local"}} {
		if _, err := Parse(test[0], test[1]); err == nil {
			t.Errorf("%q in %q is one", test[0], test[1])
		}
	}
}

func TestTheLongestTimeBetweenTwo(t *testing.T) {
	for expression, want := range map[string]time.Duration{"15 2 * * *": 24 * time.Hour, "*/5 * * * *": 5 * time.Minute, "0 3 * * 1-5": 72 * time.Hour, "@yearly": 366 * 24 * time.Hour} {
		if got, err := Longest(expression, "UTC"); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", expression, got, want, err)
		}
	}
	if got, _ := Longest("0 12 * * *", "Europe/Berlin"); got != 25*time.Hour {
		t.Errorf("%s, and in autumn a day is an hour longer", got)
	}
	if _, err := Longest("x", "UTC"); err == nil {
		t.Error("x is due sometimes")
	}
}
