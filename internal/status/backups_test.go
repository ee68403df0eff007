package status

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
)

// guarded is an engine whose replicator says so.
type guarded struct {
	docker
	says string
	err  error
}

func (g guarded) Exec(_ context.Context, _, workload string, command ...string) (string, error) {
	if workload != "backup-replicator" || !slices.Equal(command, []string{"/run/backup/backup", "status"}) {
		return "", errors.New("nobody is asked so")
	}
	return g.says, g.err
}

func TestBackupsTellOfThemselves(t *testing.T) {
	now := time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)
	well := func() results.Status {
		return results.Status{State: results.Replicating, Place: "db-2", Target: "s3://shop/backups", Database: "/app/data/prod.db", Mark: results.Mark{At: now.Add(-2 * time.Second)}, KeyKept: true,
			Results: []results.Result{
				{Of: results.Files, Outcome: results.OK, Began: now.Add(-3 * time.Hour), Succeeded: now.Add(-3 * time.Hour), Figures: map[string]float64{"files_added_bytes": 41e6, "files_snapshots": 12, "files_verified_snapshots": 9}},
				{Of: results.Rehearsal, Outcome: results.OK, Began: now.Add(-2 * time.Hour), Took: 6 * time.Second, Succeeded: now.Add(-2 * time.Hour), Figures: map[string]float64{"rehearsal_restored_bytes": 193e6, "rehearsal_application_duration_seconds": 4}},
			}}
	}
	for name, test := range map[string]struct {
		change func(*results.Status)
		lines  []string
		wrong  string
	}{
		"all is well": {func(*results.Status) {}, []string{"database: 2s behind, db-2 on s3://shop/backups", "files: 3h old, 41 MB added, 12 snapshots (9 restored once)",
			"rehearsal: 2h old, 6s, 193 MB, application in 4s"}, ""},
		// What may stay as it is says so, and is no problem.
		"as it begins": {func(s *results.Status) {
			s.Target, s.SameDisk, s.KeyKept, s.Mark.At, s.Results = "", true, false, time.Time{}, []results.Result{{Of: results.Files}, {Of: results.Rehearsal}}
		}, []string{"database: nothing yet", "files: none yet", "rehearsal: none yet", "key: in this stack's state alone: make backup-key"}, ""},
		"on the disk that serves": {func(s *results.Status) { s.Target, s.SameDisk, s.Results = "", true, nil }, []string{"database: 2s behind, db-2 on a volume, on the disk that serves"}, ""},
		"foreign": {func(s *results.Status) { s.State, s.Why, s.Results = results.Foreign, "the target has db-2", nil }, []string{"database: 2s behind, db-2 on s3://shop/backups"},
			"backup of the database: foreign: the target has db-2"},
		"failed": {func(s *results.Status) {
			s.Results = s.Results[:1]
			s.Results[0].Outcome, s.Results[0].Why, s.Results[0].Began = results.Failed, "wrong key", now.Add(-time.Minute)
		}, []string{"database: 2s behind, db-2 on s3://shop/backups", "files: 3h old, 41 MB added, 12 snapshots (9 restored once)"}, "files: failed 60s ago: wrong key"},
		"no database in a file": {func(s *results.Status) { s.Database, s.State, s.Results = "", results.Waiting, s.Results[:1] }, []string{"files: 3h old, 41 MB added, 12 snapshots (9 restored once)"}, ""},
		"an old history": {func(s *results.Status) {
			s.Results, s.Old = nil, []results.History{{Path: "db-1", Last: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Bytes: 5e6}}
		}, []string{"database: 2s behind, db-2 on s3://shop/backups", "db-1: 5 MB, no longer written since 2026-11-01"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := well()
			test.change(&found)
			text, err := json.Marshal(found)
			if err != nil {
				t.Fatal(err)
			}
			s := Status{}
			s.backedUp(t.Context(), "tarot-prod", Outputs{Services: map[string]Service{"backup-replicator": {}}}, guarded{says: string(text)}, now)
			var lines []string
			for _, b := range s.Backups {
				lines = append(lines, b.Name+": "+b.Text)
			}
			if !slices.Equal(lines, test.lines) || strings.Join(s.Problems, "; ") != test.wrong {
				t.Errorf("%q, wrong is %q", lines, s.Problems)
			}
		})
	}
}

// That they can't be asked is a problem, and never "there are none".
func TestBackupsThatDoNotAnswer(t *testing.T) {
	with := Outputs{Services: map[string]Service{"backup-replicator": {}}}
	for name, g := range map[string]guarded{"gone": {err: errors.New("no container runs")}, "odd": {says: "hello"}} {
		s := Status{}
		s.backedUp(t.Context(), "tarot-prod", with, g, time.Now())
		if len(s.Problems) != 1 || !strings.HasPrefix(s.Problems[0], "the backups can't be seen: ") {
			t.Errorf("%s: %q", name, s.Problems)
		}
	}
	s := Status{}
	s.backedUp(t.Context(), "tarot-prod", Outputs{}, guarded{err: errors.New("nobody is to be asked")}, time.Now())
	if len(s.Problems) > 0 {
		t.Errorf("%q", s.Problems)
	}
}
