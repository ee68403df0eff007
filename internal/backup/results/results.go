// Package results is what the programs of the backup tell each other, and others: how the cron
// jobs have ended, what is on the target by when, and the state of the replication.
package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/backup/place"
)

// Outcomes. What could not be asked is neither well nor wrong.
const (
	OK           = "ok"
	Failed       = "failed"
	Inconclusive = "inconclusive"
)

// What there are results of.
const (
	Files     = "files"
	Rehearsal = "rehearsal"
	// Archive is that of a PostgreSQL, which is written and rehearsed by a job of its own. Where there is none,
	// there are no results of it.
	Archive = "archive"
)

var all = []string{Files, Rehearsal}

// parts are what a rehearsal looks at.
var parts = []string{"database", "files", "application"}

// figures are those of each, as metrics are called, without their first word.
var figures = map[string][]figure{
	Files: {
		{"files_added_bytes", "What the last snapshot has added to the repository."},
		{"files_size_bytes", "What the last snapshot holds."},
		{"files_snapshots", "How many snapshots there are."},
		{"files_verified_snapshots", "How many of them a rehearsal has restored."},
		{"files_locks", "Locks that somebody has left in the repository."},
		{"check_coverage_timestamp_seconds", "Since when all data of the repository were read once; 0: not yet."},
	},
	Rehearsal: {
		{"rehearsal_restored_bytes", "What the last rehearsal has restored."},
		{"rehearsal_restored_rows", "How many rows the restored database has."},
		{"rehearsal_age_seconds", "How old the newest of what was restored was."},
		{"rehearsal_application_duration_seconds", "How long the release took to start on it, and to answer."},
	},
	Archive: {
		{"archive_added_bytes", "What the last backup in the archive has added to the repository."},
		{"archive_first_timestamp_seconds", "The first moment that the archive can bring back."},
		{"archive_restored_bytes", "What the last rehearsal of the archive has restored."},
		{"archive_restored_rows", "How many rows the database has that was restored of the archive."},
		{"archive_age_seconds", "How old the newest of that was."},
	},
}

type figure struct{ name, help string }

// Result is how a run of a cron job has ended.
type Result struct {
	// Of is Files, Rehearsal or Archive.
	Of      string `json:"of"`
	Outcome string `json:"outcome"`
	// Why says what was wrong, for people.
	Why   string        `json:"why,omitempty"`
	Began time.Time     `json:"began"`
	Took  time.Duration `json:"took"`
	// Succeeded is when the last one that was well has ended. Write keeps it.
	Succeeded time.Time `json:"succeeded"`
	// Parts are the outcomes of a rehearsal's database, files and application.
	Parts map[string]string `json:"parts,omitempty"`
	// Figures are numbers by the names of their metrics, without backup_. Those that are
	// missing are as they were.
	Figures map[string]float64 `json:"figures,omitempty"`
}

// Write writes the newest result of its kind into a folder, in one step.
func Write(folder string, r Result) error {
	if _, known := figures[r.Of]; !known {
		return fmt.Errorf("there are no results of %q", r.Of)
	}
	for name := range r.Figures {
		if !slices.ContainsFunc(figures[r.Of], func(f figure) bool { return f.name == name }) {
			return fmt.Errorf("%s: there is no figure %q", r.Of, name)
		}
	}
	if r.Outcome == OK {
		r.Succeeded = r.Began.Add(r.Took)
	}
	// One that can't be read tells nothing that would have to be kept.
	if last, err := read(folder, r.Of); err == nil {
		if r.Succeeded.IsZero() {
			r.Succeeded = last.Succeeded
		}
		known := map[string]float64{}
		for _, from := range []map[string]float64{last.Figures, r.Figures} {
			for name, value := range from {
				known[name] = value
			}
		}
		r.Figures = known
	}
	return put(folder, r)
}

// Know writes one figure into the newest result of a kind, where there is one: another program
// has found it out since.
func Know(folder, of, figure string, value float64) error {
	r, err := read(folder, of)
	if err != nil || r.Outcome == "" {
		return err
	}
	if r.Figures == nil {
		r.Figures = map[string]float64{}
	}
	r.Figures[figure] = value
	return put(folder, r)
}

func put(folder string, r Result) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return place.Replace(filepath.Join(folder, r.Of+".json"), append(text, '\n'), 0o644)
}

// All are the newest results of each kind. Where there was no run yet, the outcome is empty;
// what can't be read is inconclusive, and the error says why.
func All(folder string) ([]Result, error) {
	var found []Result
	var wrong []error
	for _, of := range all {
		r, err := One(folder, of)
		wrong = append(wrong, err)
		found = append(found, r)
	}
	return found, errors.Join(wrong...)
}

// One is the newest of a kind, as All has it.
func One(folder, of string) (Result, error) {
	r, err := read(folder, of)
	if err != nil {
		r = Result{Of: of, Outcome: Inconclusive, Why: err.Error()}
	}
	return r, err
}

func read(folder, of string) (Result, error) {
	path := filepath.Join(folder, of+".json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{Of: of}, nil
	}
	var r Result
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && (r.Of != of || !slices.Contains([]string{OK, Failed, Inconclusive}, r.Outcome)) {
		err = fmt.Errorf("a result of %q that is %q", r.Of, r.Outcome)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Metrics are results for Prometheus, and by when the database is on the target; nil: nothing
// replicates it here. All series are there from the start.
func Metrics(found []Result, replicated *time.Time) string {
	var text strings.Builder
	head(&text, "last_success_timestamp_seconds", "When there was a good one last; 0: not yet.")
	if replicated != nil {
		Sample(&text, "last_success_timestamp_seconds", "", Unix(*replicated), "name", "database")
	}
	by := map[string]Result{}
	for _, r := range found {
		by[r.Of] = r
	}
	kinds := slices.Clone(all)
	if _, there := by[Archive]; there {
		kinds = append(kinds, Archive)
	}
	for _, of := range kinds {
		Sample(&text, "last_success_timestamp_seconds", "", Unix(by[of].Succeeded), "name", of)
	}
	head(&text, "files_result", "How the last snapshot has ended.")
	for _, outcome := range []string{OK, Failed, Inconclusive} {
		Sample(&text, "files_result", "", Boolean(by[Files].Outcome == outcome), "result", outcome)
	}
	head(&text, "rehearsal_result", "How the last rehearsal has ended.")
	for _, of := range parts {
		r := by[Rehearsal]
		is := r.Parts[of]
		if is == "" { // it did not come to that
			is = map[string]string{Failed: Inconclusive, Inconclusive: Inconclusive}[r.Outcome]
		}
		for _, outcome := range []string{OK, Failed, Inconclusive} {
			Sample(&text, "rehearsal_result", "", Boolean(is == outcome), "of", of, "result", outcome)
		}
	}
	Sample(&text, "rehearsal_duration_seconds", "How long the last rehearsal took.", by[Rehearsal].Took.Seconds())
	if r, there := by[Archive]; there {
		head(&text, "archive_result", "How the last backup into the archive, with its rehearsal, has ended.")
		for _, outcome := range []string{OK, Failed, Inconclusive} {
			Sample(&text, "archive_result", "", Boolean(r.Outcome == outcome), "result", outcome)
		}
	}
	for _, of := range kinds {
		for _, f := range figures[of] {
			Sample(&text, f.name, f.help, by[of].Figures[f.name])
		}
	}
	return text.String()
}

// Sample adds a sample of a gauge called backup_NAME, with its help where that is not empty,
// and labels as name and value in turn.
func Sample(text *strings.Builder, name, help string, value float64, labels ...string) {
	if help != "" {
		head(text, name, help)
	}
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+"="+strconv.Quote(labels[i+1]))
	}
	set := ""
	if len(pairs) > 0 {
		set = "{" + strings.Join(pairs, ",") + "}"
	}
	fmt.Fprintf(text, "backup_%s%s %s\n", name, set, strconv.FormatFloat(value, 'f', -1, 64))
}

func head(text *strings.Builder, name, help string) {
	kind := "gauge"
	if strings.HasSuffix(name, "_total") {
		kind = "counter"
	}
	fmt.Fprintf(text, "# HELP backup_%s %s\n# TYPE backup_%[1]s %[3]s\n", name, help, kind)
}

// Boolean is 1 for true.
func Boolean(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Unix is a time in seconds; 0: it is none.
func Unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
