package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

func TestHistoriesInAFolder(t *testing.T) {
	mount := t.TempDir()
	at := filepath.Join(mount, "tarot-test")
	if found, err := foldersHistories(at); err != nil || len(found) != 0 {
		t.Errorf("an empty target: %v, %v", err, found)
	}
	if _, err := foldersHistories(filepath.Join(mount, "gone", "tarot-test")); err == nil {
		t.Error("a target that is not there is an empty one")
	}
	for _, name := range []string{"db-2/ltx/0/0001.ltx", "db-11/ltx/9/0001.ltx.tmp", "restic/config", "db-03/x", "db-x/x"} {
		file := filepath.Join(at, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(at, "db-4/ltx/0"), 0o700); err != nil {
		t.Fatal(err)
	}
	found, err := foldersHistories(at)
	if err != nil || len(found) != 2 || found[2].Bytes != 5 || found[2].Path != "db-2" || time.Since(found[11].Last) > time.Minute {
		t.Errorf("%v: %+v", err, found)
	}
	if os.Getuid() != 0 {
		if err := os.Chmod(filepath.Join(at, "db-2/ltx"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := foldersHistories(at); err == nil {
			t.Error("what can't be read is not there")
		}
	}
}

// A target that is asked over the network is asked beyond what somebody may have removed.
func TestHistoriesAreLookedForBeyondGaps(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Gap = 0
	r := newReplicator(o, nil)
	one := `[{"level":0,"max_txid":"0000000000000012","size":5,"timestamp":"2026-11-26T10:00:00Z"},{"level":9,"max_txid":"0000000000000001","size":7,"timestamp":"2026-11-20T10:00:00Z"}]`
	w.says("ltxp_tarot-test_db-9", one)
	w.says("ltxp_tarot-test_db-14", one)
	found, err := r.prober().histories(t.Context(), 1)
	if err != nil || len(found) != 2 || found[14].Bytes != 12 || found[9].First.Day() != 20 || found[9].Last.Day() != 26 {
		t.Errorf("%v: %+v", err, found)
	}
	left, _ := filepath.Glob(filepath.Join(o.Work, "*"))
	if len(left) != 0 {
		t.Errorf("what opens the target stays in %v", left)
	}
}

func TestWhatIsNoLongerNeeded(t *testing.T) {
	now := time.Now()
	old, young := now.Add(-800*time.Hour), now.Add(-time.Hour)
	folder := t.TempDir()
	for name, at := range map[string]time.Time{"meta-1": old, "meta-4": young, "meta-5": old} {
		if err := os.MkdirAll(filepath.Join(folder, ".backup", name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(folder, ".backup", name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	found := map[int]results.History{1: {Path: "db-1", Last: old}, 2: {Path: "db-2", Last: young}, 3: {Path: "db-3", Last: old}, 4: {Path: "db-4", Last: old}, 5: {Path: "db-5", Last: young}}
	// Of a target that others keep, nothing is removed.
	left, err := forget(folder, target.Target{Kind: target.S3, Bucket: "b", Stack: "s"}, found, 5, 720*time.Hour, now)
	if err != nil || names(left) != "db-1 db-2 db-3 db-4" {
		t.Errorf("%v: %s", err, names(left))
	}
	// The newest two stay however old they are, and what is written in any case.
	left, err = forget(folder, target.Target{Kind: target.Folder, Path: "/nowhere-at-all", Stack: "no-such-stack-anywhere"}, found, 5, 720*time.Hour, now)
	if err != nil || names(left) != "db-2 db-4" {
		t.Errorf("%v: %s", err, names(left))
	}
	left, err = forget(folder, target.Target{Kind: target.Folder, Path: "/nowhere-at-all", Stack: "no-such-stack-anywhere"}, found, 1, 720*time.Hour, now)
	if err != nil || names(left) != "db-2 db-3 db-4 db-5" {
		t.Errorf("returned to an old one: %v: %s", err, names(left))
	}
	metas, _ := filepath.Glob(filepath.Join(folder, ".backup", "meta-*"))
	if len(metas) != 1 || filepath.Base(metas[0]) != "meta-4" { // 5 was removed when 1 was the current one
		t.Errorf("%v", metas)
	}
}

func names(all []results.History) (text string) {
	for i, h := range all {
		if i > 0 {
			text += " "
		}
		text += h.Path
	}
	return text
}

func TestWhetherLitestreamHasStateOfItsOwn(t *testing.T) {
	meta := metaPath(t.TempDir(), 1)
	for i, step := range []func() error{
		func() error { return nil },
		func() error { return os.MkdirAll(filepath.Join(meta, "ltx/0"), 0o700) },
		func() error { return os.WriteFile(filepath.Join(meta, "ltx/0/1.ltx"), nil, 0o600) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		if has, err := hasState(meta); has != (i == 2) || err != nil {
			t.Errorf("%d: %v, %v", i, has, err)
		}
	}
}
