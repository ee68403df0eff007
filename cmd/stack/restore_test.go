package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/config"
	"tarot-platform/internal/restore"
	"tarot-platform/internal/restore/task"
)

func TestRestoreOptions(t *testing.T) {
	for _, c := range []struct {
		o    restoreOptions
		want string // in the error; empty: none
	}{
		{restoreOptions{want: journal.Want{At: "latest"}}, ""},
		{restoreOptions{want: journal.Want{At: "1a2b3c4d", Only: "files"}, into: "x"}, ""},
		{restoreOptions{want: journal.Want{At: "2026-11-26T14:03:00Z", Only: "database"}}, ""},
		{restoreOptions{want: journal.Want{At: "2026-11-26 14:03"}}, "AT is"},
		{restoreOptions{want: journal.Want{At: "yesterday", Only: "static"}}, "ONLY is"},
		{restoreOptions{want: journal.Want{At: "latest"}, goOn: true, goBack: true}, "at a time"},
		{restoreOptions{want: journal.Want{At: "latest", Only: "files"}, goOn: true}, "knows its moment"},
	} {
		err := c.o.check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

func TestKeyIn(t *testing.T) {
	const resource = `{"deployment":{"resources":[{"urn":"urn:pulumi:prod::tarot::x::jwtSecretKey","type":"random:index/randomPassword:RandomPassword","outputs":{"result":"no"}},
		{"urn":"urn:pulumi:prod::tarot::x::credentials-backup-key","type":"random:index/randomPassword:RandomPassword","outputs":{"result":%}}]}}`
	for value, want := range map[string]string{`"k"`: "k", `{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","plaintext":"\"k\""}`: "k", `{"ciphertext":"x"}`: ""} {
		key, err := keyIn([]byte(strings.Replace(resource, "%", value, 1)), "prod")
		if key != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", value, key, err)
		}
	}
	if _, err := keyIn([]byte(`{"deployment":{}}`), "prod"); err == nil || !strings.Contains(err.Error(), "pulumi up") {
		t.Errorf("none: %v", err)
	}
	// Another name of the resource would leave a stack without a restore.
	graph, err := os.ReadFile("../../components/testdata/graph/containers-backup.txt")
	if err != nil || !strings.Contains(string(graph), "\nrandom:index/randomPassword:RandomPassword "+strings.TrimPrefix(keyResource, "::")+"\n") {
		t.Errorf("the graph has no %s: %v", keyResource, err)
	}
}

func TestStackOf(t *testing.T) {
	cfg := config.Defaults()
	cfg.Backup.Enabled, cfg.Backend.DatabaseURL, cfg.Volumes.Data, cfg.Volumes.Static = true, "sqlite:////app/data/sub/prod.db", "tarot_data", "tarot_static"
	cfg.Secrets = map[string]string{"backupSecret": "s3"}
	s, err := stackOf(cfg, "prod", "tarot-prod", "key")
	if err != nil {
		t.Fatal(err)
	}
	d := s.Request.Database
	if d == nil || d.Volume != "data" || d.File != "sub/prod.db" || d.Live != "/app/data/sub/prod.db" {
		t.Errorf("%+v", d)
	}
	if !slices.Contains(s.Request.Volumes, task.Volume{Name: "static", Engine: "tarot_static", Gains: true}) || !slices.Contains(s.Request.Volumes, task.Volume{Name: "data", Engine: "tarot_data"}) {
		t.Errorf("%+v", s.Request.Volumes)
	}
	if string(s.Fetch.Files[task.Secrets+"/backup_key"]) != "key" || len(s.Work.Files) != 0 || len(s.Ask.Files) != 0 {
		t.Error("the key is not where it is to be, or elsewhere, too")
	}
	if s.Fetch.Network != "" || s.Work.Network != "" || s.Ask.Network == "" {
		t.Errorf("networks: %q %q %q", s.Fetch.Network, s.Work.Network, s.Ask.Network)
	}
	cfg.Backup.Target = "s3://bucket/path"
	if s, err = stackOf(cfg, "prod", "tarot-prod", "key"); err != nil || s.Fetch.Network == "" {
		t.Errorf("a target elsewhere: %q, %v", s.Fetch.Network, err)
	}
	workloads := []string{"backup-replicator", "backend", "cron-report", "valkey", "backup-rehearsal"}
	slices.SortFunc(workloads, func(a, b string) int { return s.Order(a) - s.Order(b) })
	if strings.Join(workloads, " ") != "cron-report backup-rehearsal backend valkey backup-replicator" || !s.Serves("backend") || s.Serves("backup-replicator") {
		t.Errorf("%q", workloads)
	}
}

func TestShown(t *testing.T) {
	at := time.Date(2026, 11, 26, 14, 3, 0, 0, time.UTC)
	text := strings.Join(shown(restore.Shown{Found: task.Found{Snapshot: "0123456789", Taken: at,
		Database: &task.FoundDatabase{From: "db-1", Moment: at, Exact: time.Second, Next: "db-2", Rows: map[string]int64{"cards": 3, "users": 2}, Live: map[string]int64{"cards": 5, "users": 2, "late": 1}, Written: at.Add(time.Hour), Migrate: true},
		Volumes:  []task.FoundVolume{{Name: "uploads", Replaced: 1, Gone: 9, Names: []string{"a", "b"}}}}}), "\n")
	for _, want := range []string{"from db-1, as it was 2026-11-26T14:03:00Z, to within 1s", "goes on as db-2", "1h0m0s newer", "cards", "5 rows now, 3 restored", "late", "migrated", "01234567 of", "9 go: a, b, …", "stays"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "users") {
		t.Errorf("a table that is the same is shown:\n%s", text)
	}
}

// An archive comes from an engine that may be somebody else's machine: nothing is written
// outside of the folder.
func TestUnpack(t *testing.T) {
	folder := t.TempDir()
	for name, bad := range map[string]bool{"restored/database/prod.db": false, "restored/../../outside": true, "restored/link/x": true} {
		var archive bytes.Buffer
		to := tar.NewWriter(&archive)
		for _, h := range []*tar.Header{{Name: "restored/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "restored/database/", Typeflag: tar.TypeDir, Mode: 0o755},
			{Name: "restored/link", Typeflag: tar.TypeSymlink, Linkname: folder}, {Name: name, Typeflag: tar.TypeReg, Mode: 0o400, Size: 1}} {
			if err := to.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := to.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(t.TempDir(), "into")
		if err := os.Mkdir(target, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(target)
		if err != nil {
			t.Fatal(err)
		}
		err = unpack(&archive, root)
		if _, outside := os.Stat(filepath.Join(folder, "x")); outside == nil {
			t.Errorf("%s was written outside", name)
		}
		if !bad && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, _ := os.ReadFile(filepath.Join(target, "database", "prod.db")); !bad && string(text) != "x" {
			t.Errorf("%s is not there", name)
		}
		_ = root.Close()
	}
}
