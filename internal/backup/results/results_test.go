package results

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func want(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("%s is not in\n%s", line, text)
		}
	}
}

// All series are there before anything has run: the first failure is a change.
func TestMetricsBeforeTheFirstRun(t *testing.T) {
	found, err := All(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text := Metrics(found, &time.Time{})
	want(t, text, `backup_last_success_timestamp_seconds{name="database"} 0`, `backup_last_success_timestamp_seconds{name="files"} 0`, `backup_last_success_timestamp_seconds{name="rehearsal"} 0`,
		`backup_rehearsal_result{of="database",result="ok"} 0`, `backup_rehearsal_result{of="application",result="failed"} 0`, `backup_rehearsal_result{of="files",result="inconclusive"} 0`,
		`backup_files_result{result="failed"} 0`, `backup_rehearsal_duration_seconds 0`, `backup_files_snapshots 0`, `backup_check_coverage_timestamp_seconds 0`)
	if text := Metrics(found, nil); strings.Contains(text, `name="database"`) {
		t.Error("a database that nothing replicates here")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " ")
		if seen[name] && !strings.HasPrefix(line, "#") {
			t.Errorf("twice: %s", line)
		}
		seen[name] = true
	}
}

func TestAResultAndWhatStaysOfTheOneBefore(t *testing.T) {
	folder := t.TempDir()
	began := time.Date(2026, 11, 27, 2, 15, 0, 0, time.UTC)
	if err := Write(folder, Result{Of: Files, Outcome: OK, Began: began, Took: time.Minute, Figures: map[string]float64{"files_snapshots": 12, "files_added_bytes": 41e6}}); err != nil {
		t.Fatal(err)
	}
	if err := Write(folder, Result{Of: Files, Outcome: Failed, Why: "wrong key", Began: began.Add(24 * time.Hour), Figures: map[string]float64{"files_locks": 1}}); err != nil {
		t.Fatal(err)
	}
	if err := Write(folder, Result{Of: Rehearsal, Outcome: Failed, Began: began, Took: 6 * time.Second, Parts: map[string]string{"database": OK, "application": Failed}}); err != nil {
		t.Fatal(err)
	}
	found, err := All(folder)
	if err != nil {
		t.Fatal(err)
	}
	want(t, Metrics(found, nil), fmt.Sprintf(`backup_last_success_timestamp_seconds{name="files"} %d`, began.Add(time.Minute).Unix()), `backup_files_snapshots 12`, `backup_files_added_bytes 41000000`, `backup_files_locks 1`,
		`backup_files_result{result="failed"} 1`, `backup_files_result{result="ok"} 0`, `backup_last_success_timestamp_seconds{name="rehearsal"} 0`, `backup_rehearsal_duration_seconds 6`,
		`backup_rehearsal_result{of="database",result="ok"} 1`, `backup_rehearsal_result{of="application",result="failed"} 1`, `backup_rehearsal_result{of="files",result="inconclusive"} 1`)
	if found[0].Why != "wrong key" {
		t.Errorf("%+v", found[0])
	}
}

// What can't be read is neither well nor missing.
func TestAFigureThatIsKnownLater(t *testing.T) {
	folder := t.TempDir()
	if err := Know(folder, Files, "files_verified_snapshots", 1); err != nil {
		t.Error(err)
	}
	if found, err := All(folder); err != nil || found[0].Outcome != "" {
		t.Errorf("it has made a run of none: %+v, %v", found, err)
	}
	then := time.Now().Add(-time.Hour).UTC()
	if err := Write(folder, Result{Of: Files, Outcome: OK, Began: then, Figures: map[string]float64{"files_snapshots": 3}}); err != nil {
		t.Fatal(err)
	}
	if err := Know(folder, Files, "files_verified_snapshots", 2); err != nil {
		t.Error(err)
	}
	found, err := All(folder)
	if err != nil || found[0].Figures["files_verified_snapshots"] != 2 || found[0].Figures["files_snapshots"] != 3 || !found[0].Began.Equal(then) {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAResultThatCanNotBeRead(t *testing.T) {
	for _, text := range []string{"", "{", `{"of":"files","outcome":"fine"}`, `{"of":"rehearsal","outcome":"ok"}`} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "files.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := All(folder)
		if err == nil || len(found) != 2 {
			t.Errorf("%q: %v, %+v", text, err, found)
		}
		want(t, Metrics(found, nil), `backup_files_result{result="inconclusive"} 1`)
		if err := Write(folder, Result{Of: Files, Outcome: OK}); err != nil {
			t.Errorf("%q stays for ever: %v", text, err)
		}
	}
}

func TestResultsThatAreNone(t *testing.T) {
	if err := Write(t.TempDir(), Result{Of: "file", Outcome: OK}); err == nil {
		t.Error("of something else")
	}
	if err := Write(t.TempDir(), Result{Of: Files, Outcome: OK, Figures: map[string]float64{"rehearsal_age_seconds": 1}}); err == nil {
		t.Error("with somebody else's figure")
	}
}

func TestMarks(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	if all, err := Marks(folder); err != nil || len(all) != 0 {
		t.Errorf("%v: %v", err, all)
	}
	for at := now.Add(-26 * time.Hour); !at.After(now); at = at.Add(30 * time.Second) {
		if err := AddMark(folder, Mark{TXID: uint64(at.Unix()), At: at, Place: "db-1", Content: &Content{}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ThinMarks(folder, now, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	all, err := Marks(folder)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all); n != 23*12+1+120 {
		t.Errorf("%d are left", n)
	}
	if first, last := all[0], all[len(all)-1]; now.Sub(first.At) > 24*time.Hour || !last.At.Equal(now) || last.Content != nil || last.Place != "db-1" {
		t.Errorf("from %+v to %+v", first, last)
	}
	for i := range all[1:] {
		if all[i+1].At.Sub(all[i].At) > 5*time.Minute {
			t.Errorf("nothing between %s and %s", all[i].At, all[i+1].At)
		}
	}
	// A crash may cut the last one.
	file, err := os.OpenFile(filepath.Join(folder, marksFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, `{"txid":7,"at":"20`)
	file.Close()
	if again, err := Marks(folder); err != nil || len(again) != len(all) {
		t.Errorf("%v: %d of %d", err, len(again), len(all))
	}
}

func TestParseTXID(t *testing.T) {
	if n, err := ParseTXID("000000000000001f"); err != nil || n != 31 {
		t.Errorf("%v: %d", err, n)
	}
	for _, text := range []string{"", "31", "1f", "000000000000001g"} {
		if _, err := ParseTXID(text); err == nil {
			t.Errorf("%q is one", text)
		}
	}
}
