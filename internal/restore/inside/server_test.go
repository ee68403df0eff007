package inside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/restore/task"
)

func (source) Copy(context.Context, Origin, string) (postgres.Manifest, error) {
	return postgres.Manifest{}, errors.New("there is none")
}

// copied is a target with the copy of a PostgreSQL's database.
type copied struct {
	source
	spoilt bool
}

const copyText = "3 rows"

func (c copied) Copy(_ context.Context, _ Origin, folder string) (postgres.Manifest, error) {
	m := postgres.Manifest{At: time.Unix(1, 0).UTC(), Database: "app", Size: 1000, Bytes: int64(len(copyText)), File: "app-1.dump", Content: results.Content{Schema: "schema", Rows: map[string]int64{"orders": 3}}}
	file := filepath.Join(folder, m.File)
	if err := os.WriteFile(file, []byte(copyText), 0o600); err != nil {
		return m, err
	}
	var err error
	if _, m.SHA256, err = newest.Sum(file); c.spoilt {
		m.SHA256 = "another"
	}
	return m, err
}

// killed is what a process ends with that is killed.
type killed struct{}

// cluster is a server with databases that are texts, and everything ends at one of its steps, or of
// the files': before it is done, or after.
type cluster struct {
	databases map[string]postgres.Database
	rows      map[string]int64
	schemas   map[string]string
	steps     int
	end       int // 0: never
	away      bool
}

func (c *cluster) step() {
	if c.steps++; c.steps == c.end {
		panic(killed{})
	}
}

// does is something that is ended before it, or after.
func (c *cluster) does(act func() error) error {
	if c.away {
		return postgres.Away(errors.New("no server"))
	}
	c.step()
	err := act()
	c.step()
	return err
}

func (c *cluster) Databases(context.Context) (all map[string]postgres.Database, err error) {
	return all, c.does(func() error { all = maps.Clone(c.databases); return nil })
}

func (c *cluster) make(name string, rows int64, schema string) {
	c.databases[name], c.rows[name], c.schemas[name] = postgres.Database{Bytes: 1 << 20}, rows, schema
}

func (c *cluster) Load(_ context.Context, file, database, _, _ string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil || string(text) != copyText {
		return "", errors.Join(err, fmt.Errorf("%s is %q", file, text))
	}
	return "", c.does(func() error { c.make(database, 3, "schema"); return nil })
}

func (c *cluster) Content(_ context.Context, database string) (content results.Content, err error) {
	err = c.does(func() error {
		if _, there := c.databases[database]; !there {
			return fmt.Errorf("there is no database %s", database)
		}
		content = results.Content{Schema: c.schemas[database], Rows: map[string]int64{"orders": c.rows[database]}}
		return nil
	})
	return content, err
}

func (c *cluster) Say(_ context.Context, database, text string) error {
	return c.does(func() error {
		d := c.databases[database]
		d.Said = text
		c.databases[database] = d
		return nil
	})
}

func (c *cluster) Rename(_ context.Context, all ...postgres.Renaming) error {
	return c.does(func() error {
		was := *c
		was.databases, was.rows, was.schemas = maps.Clone(c.databases), maps.Clone(c.rows), maps.Clone(c.schemas)
		for _, one := range all {
			_, from := c.databases[one.From]
			if _, to := c.databases[one.To]; !from || to {
				c.databases, c.rows, c.schemas = was.databases, was.rows, was.schemas
				return fmt.Errorf("%s can't become %s", one.From, one.To)
			}
			c.databases[one.To], c.rows[one.To], c.schemas[one.To] = c.databases[one.From], c.rows[one.From], c.schemas[one.From]
			delete(c.databases, one.From)
		}
		return nil
	})
}

func (c *cluster) Drop(_ context.Context, database string) error {
	return c.does(func() error { delete(c.databases, database); return nil })
}

// serverRoom is a stack whose database has 5 rows, of which the target has 3.
func serverRoom(t *testing.T, only string) (*Room, *cluster) {
	t.Helper()
	c := &cluster{databases: map[string]postgres.Database{}, rows: map[string]int64{}, schemas: map[string]string{}}
	c.make("app", 5, "schema")
	r := roomOf(t, source{}, map[string]string{"data/a": "new a", "postgres-dump/app-9.dump": "the newest copy"})
	r.From, r.Postgres, r.Want.Only = copied{source: source{files: map[string]string{"data/a": "old a"}}}, c, only
	r.Request.Database, r.Request.Server = nil, &task.Server{Database: "app", Owner: "app", Volume: "postgres-dump", UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	durable.Step = func(string) { c.step() }
	t.Cleanup(func() { durable.Step = func(string) {} })
	return r, c
}

// goes runs steps, each again where it was ended.
func goes(t *testing.T, r *Room, steps ...string) {
	t.Helper()
	for _, step := range steps {
		for done := false; !done; {
			func() {
				defer func() {
					if end := recover(); end != nil && end != any(killed{}) {
						panic(end)
					}
				}()
				// One that has noted its stage was done: the command goes on from there.
				if _, err := r.Do(t.Context(), step); err != nil && (step != "note" || !strings.Contains(err.Error(), "stopping")) {
					t.Fatalf("%s: %v", step, err)
				}
				done = true
			}()
		}
	}
}

// forward are the steps of a restore that goes well.
var forward = []string{"fetch", "load", "note", "switch", "check", "started", "finish"}

func (c *cluster) are(t *testing.T, want map[string]int64) {
	t.Helper()
	found := map[string]int64{}
	for name := range c.databases {
		found[name] = c.rows[name]
	}
	if !maps.Equal(found, want) {
		t.Errorf("there are %v, want %v", found, want)
	}
}

// Killed at any moment, the same step once more ends as it would have.
func TestADatabaseOfAServerIsRestored(t *testing.T) {
	for end, last := 0, 1; end <= last; end++ {
		r, c := serverRoom(t, journal.Everything)
		c.end = end
		goes(t, r, forward...)
		if end == 0 {
			last = c.steps
		}
		c.are(t, map[string]int64{"app": 3, "app_replaced_run": 5})
		if a := r.text("data/a"); a != "old a" || r.text("postgres-dump/app-9.dump") != "the newest copy" || r.text("postgres-dump/.backup/incoming/run/database/app-1.dump") != "none" {
			t.Errorf("ended at %d: %q", end, a)
		}
		c.end = 0
		answer, err := r.Do(t.Context(), "list")
		if err != nil || len(answer.Kept) != 1 || answer.Kept[0].Run != "run" || answer.Kept[0].Bytes < 1<<20 {
			t.Errorf("%+v, %v", answer.Kept, err)
		}
		r.Kept = "run"
		if _, err := r.Do(t.Context(), "forget"); err != nil {
			t.Error(err)
		}
		c.are(t, map[string]int64{"app": 3})
		if t.Failed() {
			t.Fatalf("where it is ended at step %d", end)
		}
	}
}

// It is taken back from wherever it was ended, and that is ended, too.
func TestADatabaseOfAServerIsTakenBack(t *testing.T) {
	for until := range len(forward) - 2 {
		for end, last := 0, 1; end <= last; end++ {
			r, c := serverRoom(t, journal.Database)
			goes(t, r, forward[:until+1]...)
			had := c.databases["app"].Said != ""
			c.steps, c.end = 0, end
			if until >= 2 { // users were stopped
				goes(t, r, "undo", "started", "finish")
			} else {
				goes(t, r, "finish")
			}
			if end == 0 {
				last = c.steps
			}
			want := map[string]int64{"app": 5}
			if had {
				want["app_undone_run"] = 3
			}
			c.are(t, want)
			if t.Failed() {
				t.Fatalf("after %s, ended at %d", forward[until], end)
			}
		}
	}
}

func TestWhatIsWrongWithWhatIsLoaded(t *testing.T) {
	for name, test := range map[string]struct {
		change func(r *Room, c *cluster)
		step   string
		says   string
	}{
		"the copy is another one":     {func(r *Room, _ *cluster) { r.From = copied{spoilt: true} }, "fetch", "hash differs"},
		"there is no room":            {func(r *Room, _ *cluster) { r.From = copied{source: source{bytes: 1 << 55}} }, "fetch", "make room first"},
		"the server is away":          {func(_ *Room, c *cluster) { c.away = true }, "load", "no server"},
		"what was loaded is gone":     {func(_ *Room, c *cluster) { delete(c.databases, "app_incoming_run") }, "switch", "--back"},
		"somebody writes meanwhile":   {func(_ *Room, c *cluster) { c.rows["app"]++ }, "check", "who writes to it?"},
		"the database is gone by now": {func(_ *Room, c *cluster) { delete(c.databases, "app") }, "check", "no database"},
	} {
		t.Run(name, func(t *testing.T) {
			r, c := serverRoom(t, journal.Database)
			for _, step := range forward {
				if step == test.step {
					test.change(r, c)
					_, err := r.Do(t.Context(), step)
					if err == nil || !strings.Contains(err.Error(), test.says) {
						t.Errorf("%v", err)
					}
					return
				}
				goes(t, r, step)
			}
		})
	}
}

// What is told before anybody is asked.
func TestWhatIsToldOfAServer(t *testing.T) {
	r, c := serverRoom(t, journal.Database)
	c.schemas["app"] = "of another release"
	goes(t, r, "fetch", "load")
	answer, err := r.Do(t.Context(), "take")
	if err != nil {
		t.Fatal(err)
	}
	var found task.Found
	if err := json.Unmarshal(answer.Journal.Found, &found); err != nil {
		t.Fatal(err)
	}
	if d := found.Database; d == nil || !d.Migrate || d.Live["orders"] != 5 || d.Rows["orders"] != 3 || answer.Journal.Stage != journal.Asked {
		t.Errorf("%+v at %q", d, answer.Journal.Stage)
	}
}

// Where only files are wanted, a server that does not run is no matter.
func TestFilesWithoutTheServer(t *testing.T) {
	r, c := serverRoom(t, journal.Files)
	c.away = true
	goes(t, r, "list", "fetch", "note", "switch", "check", "started", "finish")
	if a := r.text("data/a"); a != "old a" {
		t.Errorf("%q", a)
	}
	r.Want.Only = journal.Everything
	if _, err := r.Do(t.Context(), "list"); err == nil {
		t.Error("what could not be asked is taken for nothing")
	}
}

func TestACopyGoesIntoAFolder(t *testing.T) {
	r, _ := serverRoom(t, journal.Everything)
	to := filepath.Join(t.TempDir(), "out")
	found, err := r.Extract(t.Context(), to)
	if err != nil || found.Database == nil || found.Database.Rows["orders"] != 3 {
		t.Fatalf("%+v, %v", found, err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "database", "app-1.dump")); err != nil || string(text) != copyText {
		t.Errorf("%q, %v", text, err)
	}
}
