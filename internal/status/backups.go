package status

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"tarot-platform/internal/backup/results"
)

// replicator is the workload that knows of all backups of the platform's, and helper the program in
// it that tells.
const (
	replicator = "backup-replicator"
	helper     = "/run/backup/backup"
)

// backedUp asks the stack's own backup, where there is one. It is asked without the monitoring, of
// which a stack may have none.
func (s *Status) backedUp(ctx context.Context, prefix string, out Outputs, docker Engine, now time.Time) {
	if _, there := out.Services[replicator]; !there {
		return
	}
	text, err := docker.Exec(ctx, prefix, replicator, helper, "status")
	var found results.Status
	if err == nil {
		err = json.Unmarshal([]byte(text), &found)
	}
	if err != nil {
		s.problem("the backups can't be seen: %v", err)
		return
	}
	if found.Database != "" {
		s.Backups = append(s.Backups, s.replication(found, now))
	}
	for _, of := range []string{results.Files, results.Rehearsal, results.Archive} {
		index := slices.IndexFunc(found.Results, func(r results.Result) bool { return r.Of == of })
		if index < 0 {
			continue
		}
		s.Backups = append(s.Backups, s.run(found.Results[index], now))
	}
	if !found.KeyKept {
		s.Backups = append(s.Backups, Backup{Name: "key", Text: "in this stack's state alone: make backup-key"})
	}
	for _, h := range found.Old {
		s.Backups = append(s.Backups, Backup{Name: h.Path, Seconds: age64(h.Last, now), Text: fmt.Sprintf("%s, no longer written since %s", amount(float64(h.Bytes)), h.Last.UTC().Format(time.DateOnly))})
	}
}

// replication is how the continuous backup of the database does.
func (s *Status) replication(found results.Status, now time.Time) Backup {
	where := cmp.Or(found.Target, "a volume")
	if found.SameDisk {
		where += ", on the disk that serves"
	}
	b := Backup{Name: "database", Seconds: age64(found.Mark.At, now), Text: "nothing yet"}
	if !found.Mark.At.IsZero() {
		b.Text = fmt.Sprintf("%s behind, %s on %s", age(b.Seconds), found.Place, where)
	}
	switch found.State {
	case results.Replicating, results.Waiting:
	default:
		s.problem("backup of the database: %s", strings.TrimSuffix(found.State+": "+found.Why, ": "))
	}
	return b
}

// run is how the last run of a scheduled backup, or of a rehearsal, has ended.
func (s *Status) run(r results.Result, now time.Time) Backup {
	b := Backup{Name: r.Of, Seconds: age64(r.Succeeded, now), Text: "none yet"}
	if !r.Succeeded.IsZero() {
		b.Text = age(b.Seconds) + " old" + told(r)
	}
	if r.Outcome == results.Failed || r.Outcome == results.Inconclusive {
		s.problem("%s: %s %s ago: %s", r.Of, r.Outcome, age(age64(r.Began, now)), cmp.Or(r.Why, "see its log"))
	}
	return b
}

// told are the figures of a run.
func told(r results.Result) string {
	figure := func(name string) float64 { return r.Figures[name] }
	if r.Of == results.Files {
		return fmt.Sprintf(", %s added, %.0f snapshots (%.0f restored once)", amount(figure("files_added_bytes")), figure("files_snapshots"), figure("files_verified_snapshots"))
	}
	if r.Of == results.Archive {
		return fmt.Sprintf(", %s added, %s restored, back to %s", amount(figure("archive_added_bytes")), amount(figure("archive_restored_bytes")), time.Unix(int64(figure("archive_first_timestamp_seconds")), 0).UTC().Format(time.RFC3339))
	}
	text := fmt.Sprintf(", %s, %s", r.Took.Round(time.Second), amount(figure("rehearsal_restored_bytes")))
	if took := figure("rehearsal_application_duration_seconds"); took > 0 {
		text += fmt.Sprintf(", application in %.0fs", took)
	}
	return text
}

// age64 is how long ago a time was, in seconds; 0: there is none, or clocks differ.
func age64(then, now time.Time) int64 {
	if then.IsZero() {
		return 0
	}
	return max(0, int64(now.Sub(then)/time.Second))
}

func amount(n float64) string {
	return units.CustomSize("%.3g %s", n, 1000, []string{"B", "kB", "MB", "GB", "TB"})
}
