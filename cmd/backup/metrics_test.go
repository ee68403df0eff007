package main

import (
	"os"
	"strings"
	"testing"

	"tarot-platform/internal/backup/results"
)

func TestMetricsAreTheGuardsTheResultsAndLitestreams(t *testing.T) {
	w := newWorld(t)
	w.says("metrics", "# HELP litestream_txid x\n# TYPE litestream_txid gauge\nlitestream_txid{db=\"/a\"} 18\nprocess_cpu_seconds_total 3\n")
	r, stop, done := w.start()
	if text := r.metrics(t.Context()); !strings.Contains(text, "\nbackup_replicated_timestamp_seconds 0\n") || !strings.Contains(text, "\n"+`backup_replicator_state{state="foreign"} 0`+"\n") {
		t.Errorf("before anything has happened:\n%s", text)
	}
	eventually(t, "it replicates", isIn(r, results.Replicating))
	if err := results.Write(w.path("state/results"), results.Result{Of: results.Files, Outcome: results.OK, Figures: map[string]float64{"files_snapshots": 12}}); err != nil {
		t.Fatal(err)
	}
	text := r.metrics(t.Context())
	for _, line := range []string{`backup_replicator_state{state="replicating"} 1`, `backup_replicator_state{state="failing"} 0`, `backup_replicated_txid 18`, `backup_second_replicator_total 0`, `backup_target_same_disk 0`, `backup_key_kept 0`,
		`backup_database_bytes 15`, `backup_files_snapshots 12`, `litestream_txid{db="/a"} 18`, `# TYPE backup_second_replicator_total counter`, `# TYPE backup_replicator_state gauge`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s is not in\n%s", line, text)
		}
	}
	for _, word := range []string{"process_cpu", "go_goroutines", "target_free_bytes"} {
		if strings.Contains(text, word) {
			t.Errorf("%s is nobody's here", word)
		}
	}
	stop()
	<-done
}

func TestInstall(t *testing.T) {
	image, volume := t.TempDir(), t.TempDir()
	for _, name := range []string{"backup", "scheduler"} {
		if err := os.WriteFile(image+"/"+name, []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tag := range []string{"a", "b", "c", "d"} {
		if err := installBoth(image+"/backup", image+"/scheduler", volume, tag); err != nil {
			t.Fatal(err)
		}
	}
	for link, want := range map[string]string{"current": "scheduler-d", "backup": "backup-d"} {
		if to, err := os.Readlink(volume + "/" + link); err != nil || to != want {
			t.Errorf("%s is %s, %v", link, to, err)
		}
		if text, err := os.ReadFile(volume + "/" + link); err != nil || !strings.HasPrefix(want, string(text)) {
			t.Errorf("%v: %s", err, text)
		}
	}
	if _, err := os.Stat(volume + "/backup-a"); err == nil {
		t.Error("all earlier ones stay")
	}
	if info, err := os.Stat(volume + "/state"); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("%v", err)
	}
	if err := installed(t.Context(), []string{"--copy", image + "/backup", volume, "litestream-x"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(volume + "/litestream-x"); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v", err)
	}
	if err := installed(t.Context(), nil); err == nil {
		t.Error("into nothing")
	}
}
