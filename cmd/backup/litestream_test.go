package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/golden"
)

// The golden files are given to the real litestream in the end-to-end tests.
func TestLitestreamsConfiguration(t *testing.T) {
	for name, text := range map[string]string{"volume": "", "folder": "/srv/backups", "s3": "s3://bucket/p?endpoint=https://s3.example.com&region=eu-1", "sftp": "sftp://u@host:2222/srv/b", "webdav": "webdavs://dav.example.com/b"} {
		to, err := target.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		to.Stack = "tarot-prod"
		to.Credentials = target.Credentials{AccessKey: "AK", Secret: `S"K: $HOME #1`, HostKey: "ssh-ed25519 AAAA"}
		if name == "sftp" {
			to.Credentials.SSHKey = "/run/secrets/backup_ssh_key"
		}
		s := litestreamSettings{Database: "/app/data/app.db", Meta: "/app/data/.backup/meta-2", Replica: to.Litestream(2), Retention: 720 * time.Hour, L0: time.Hour, Address: "127.0.0.1:9090", Socket: "/tmp/litestream.sock"}
		yml, err := s.file()
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".yml", string(yml))
	}
}

// Ten full copies in a retention, levels that follow it, and never fewer than a copy a day.
func TestLevelsFollowTheRetention(t *testing.T) {
	for retention, want := range map[time.Duration]string{
		24 * time.Hour:   "30s 5m0s 50m0s 24h0m0s",
		168 * time.Hour:  "1m0s 10m0s 1h40m0s 24h0m0s",
		720 * time.Hour:  "3m0s 30m0s 5h0m0s 72h0m0s",
		8760 * time.Hour: "27m0s 4h30m0s 45h0m0s 876h0m0s",
	} {
		c := litestreamSettings{Retention: retention}.config()
		got := strings.Join([]string{c.Levels[0].Interval, c.Levels[1].Interval, c.Levels[2].Interval, c.Snapshot.Interval}, " ")
		if got != want || c.Snapshot.Retention != retention.String() {
			t.Errorf("%s: %s, want %s", retention, got, want)
		}
	}
}

func TestTheConfigurationIsItsUsersAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "litestream.yml")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := (litestreamSettings{}).write(file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", err, info.Mode())
	}
}

func TestTheLastErrorOfLitestream(t *testing.T) {
	l := &listening{to: io.Discard}
	for _, text := range []string{`{"level":"INFO","msg":"litestream"}` + "\n" + `{"level":"ERROR","msg":"monitor error","er`, `ror":"no such bucket"}` + "\n", "INFO plain\n"} {
		if n, err := l.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if got := l.lastError(); got != "monitor error: no such bucket" {
		t.Error(got)
	}
	_, _ = l.Write([]byte("Error: unknown replica type\n"))
	if got := l.lastError(); got != "unknown replica type" {
		t.Error(got)
	}
}
