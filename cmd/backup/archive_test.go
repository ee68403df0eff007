package main

import (
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/archive"
)

func TestWhenTheWholeIsCopied(t *testing.T) {
	now := time.Date(2026, 11, 27, 1, 30, 0, 0, time.UTC)
	full := archive.Backup{Full: true, Cluster: "18-1", Timeline: 1, Stop: 0x3000050, From: now.Add(-48 * time.Hour)}
	diff := archive.Backup{Cluster: "18-1", Timeline: 1, Stop: 0x4000050, From: now.Add(-24 * time.Hour)}
	usual := []archive.Backup{full, diff}
	pieces := func(names ...string) (all []archive.Segment) {
		for _, name := range names {
			all = append(all, archive.Segment{Cluster: "18-1", Name: name})
		}
		return all
	}
	log := pieces("000000010000000000000004", "000000010000000000000005")
	old := full
	old.From = now.Add(-7 * 24 * time.Hour)
	for name, test := range map[string]struct {
		backups []archive.Backup
		pieces  []archive.Segment
		dropped time.Time
		says    string
	}{
		"what has changed is enough": {usual, log, time.Time{}, ""},
		"the first":                  {nil, nil, time.Time{}, "none yet"},
		"a week":                     {[]archive.Backup{old, diff}, log, time.Time{}, "a week"},
		"after a restore":            {usual, pieces("000000010000000000000004", "000000020000000000000005"), time.Time{}, "was restored"},
		"pieces were given up":       {usual, log, now.Add(-time.Hour), "given up"},
		"given up before the last":   {usual, log, now.Add(-30 * time.Hour), ""},
		"a piece is missing":         {usual, pieces("000000010000000000000004", "000000010000000000000006"), time.Time{}, "000000010000000000000005"},
		"another database":           {usual, []archive.Segment{{Cluster: "18-2", Name: "000000010000000000000001"}}, time.Time{}, "another one"},
	} {
		if got := needed(test.backups, test.pieces, test.dropped, now); (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
