package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
)

// dumpedTo is a night of a stack with a PostgreSQL, whose copy is in one of the volumes.
func dumpedTo(t *testing.T) (*nightly, fakeRestic) {
	t.Helper()
	n, _, fake := night(t)
	n.Database, n.Dump, n.DumpAge = "", below(n.Source, "postgres-dump"), 26*time.Hour
	if err := put(below(n.Dump, "lock"), nil); err != nil {
		t.Fatal(err)
	}
	return n, fake
}

func (n *nightly) copy(t *testing.T, age time.Duration) {
	t.Helper()
	m := postgres.Manifest{At: time.Now().Add(-age).UTC(), Database: "app", Size: 100, Version: "18.6", File: "app-1.dump", Bytes: 3, SHA256: "x", Content: results.Content{Schema: "s", Rows: map[string]int64{"orders": 3}}}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{postgres.ManifestFile: text, m.File: []byte("abc")} {
		if err := put(below(n.Dump, name), text); err != nil {
			t.Fatal(err)
		}
	}
}

// All else is backed up in any case: what is old or missing is told after that.
func TestADatabaseThatIsInNoCopyIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *nightly)
		says   string
	}{
		"a new one":          {func(t *testing.T, n *nightly) { n.copy(t, time.Hour) }, ""},
		"yesterday's":        {func(t *testing.T, n *nightly) { n.copy(t, 25*time.Hour) }, ""},
		"one that is older":  {func(t *testing.T, n *nightly) { n.copy(t, 27*time.Hour) }, "and so 27h"},
		"none yet":           {func(*testing.T, *nightly) {}, "SCHEDULE=postgres-dump"},
		"none but the words": {func(t *testing.T, n *nightly) { n.copy(t, 0); _ = os.Truncate(below(n.Dump, "app-1.dump"), 2) }, "another size"},
		"the job never ran":  {func(_ *testing.T, n *nightly) { _ = os.RemoveAll(n.Dump); _ = os.Mkdir(n.Dump, 0o755) }, "SCHEDULE=postgres-dump"},
	} {
		t.Run(name, func(t *testing.T) {
			n, fake := dumpedTo(t)
			test.change(t, n)
			err := n.run(t.Context())
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || outcomeOf(err) != results.Failed) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(fake.says("calls"), "backup --json") {
				t.Error("the files are in no backup, either")
			}
			var m manifest
			if e := readJSON(below(n.State, dumpFolder, manifestFile), &m); e != nil || (m.Postgres == nil) != (strings.Contains(test.says, "SCHEDULE")) {
				t.Errorf("%+v, %v", m, e)
			}
			if err == nil && m.Postgres.Rows["orders"] != 3 {
				t.Errorf("%+v", m.Postgres)
			}
		})
	}
}
