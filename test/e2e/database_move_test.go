//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A stack whose users write all the time moves from SQLite to PostgreSQL, and back: every id that was
// acknowledged is there. A command that loses a row is found out while users are served, and one that is
// killed, before the maintenance page or behind it, is finished by the next. Backups are on: what they
// have to change is done before the page. MOVE_ROWS is how many rows there are before (100000): their
// move is to take no more than 30 s of the maintenance page.
//
//suite:thorough
func TestDatabaseMove(t *testing.T) { movesDatabase(t, "containers") }

//suite:thorough
func TestDatabaseMoveOnSwarm(t *testing.T) { movesDatabase(t, "swarm") }

func movesDatabase(t *testing.T, runtime string) {
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.replicas": 2, "backend.workers": 2, "backend.drain": "5s", "backend.stopGrace": "10s", "nginx.tls.mode": "off", "backup.enabled": true,
		"database.memory": "512m", "database.connections": 70,
	})
	s.up()
	out := s.outputs()
	look := s.operator()
	does := func(code int, says string, words ...string) string {
		t.Helper()
		said, got := look(append([]string{"database", "move", s.name}, words...)...)
		if (got == 0) != (code == 0) || !strings.Contains(said, says) {
			t.Fatalf("%s: exit code %d, want one like %d and %q\n%s", strings.Join(words, " "), got, code, says, said)
		}
		return said
	}
	s.store(out)
	rows := number(t, "MOVE_ROWS", 100_000)
	s.inside("backend", "python3", "-c", fmt.Sprintf(`import sqlite3
db = sqlite3.connect("/app/data/prod.db", timeout=30)
with db:
    db.execute("""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
        INSERT INTO readings (id, created_at, question, spread, draws, fingerprint, smoke)
        SELECT printf('%%032x', i), created_at, 'filled ' || i, spread, draws, fingerprint, smoke FROM n, (SELECT * FROM readings LIMIT 1)""")`, rows))

	// The copy is what it should be, says the command, and has lost a row.
	const command = "copyDatabase: [python, -m, tarot, copy-database]"
	const faulty = `copyDatabase:
  - sh
  - -c
  - |
    if [ $# = 0 ]; then
      python -m tarot copy-database || exit
      python -c 'import os, sqlalchemy
    with sqlalchemy.create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")).begin() as db:
        db.execute(sqlalchemy.text("DELETE FROM readings WHERE id IN (SELECT id FROM readings LIMIT 1)"))'
    else
      echo '{"table": "readings", "source": {"rows": 1, "hash": "x"}, "target": {"rows": 1, "hash": "x"}}'
    fi
  - copy`
	s.edit("deploy.yaml", func(text string) string { return strings.Replace(text, command+"\n", "", 1) })
	does(1, "has no copyDatabase", "--to", "postgres", "--yes")
	s.edit("deploy.yaml", func(text string) string { return text + faulty + "\n" })
	if said := does(1, "All is as it was before", "--to", "postgres", "--yes"); !strings.Contains(said, "table readings: ") || strings.Contains(said, "users see the maintenance page") {
		t.Errorf("a copy that has lost a row:\n%s", said)
	}
	s.edit("deploy.yaml", func(text string) string { return strings.Replace(text, faulty, command, 1) })
	does(1, "is sqlite already", "--to", "sqlite", "--yes")
	does(1, "no move of the database", "--continue")
	s.store(out)

	tr := startVisits(t, s.id, sampleVisits(20, fmt.Sprint(out["apiUrl"]), ""))
	t.Cleanup(tr.stopped)
	s.killedAt("rehearsing", "--to", "postgres", "--yes")
	s.refused("is not finished, and nothing else is done")
	does(1, "CONTINUE=yes", "--to", "postgres", "--yes")
	closed := s.closes(out)
	said := does(0, "the data are in PostgreSQL", "--continue")
	seen := closed()
	took := regexp.MustCompile(`at most (\d+)s: .*`).FindStringSubmatch(said)
	if took == nil {
		t.Fatalf("how long users saw the page is not told:\n%s", said)
	}
	t.Logf("users saw the maintenance page for %s, with %d rows; the command says: %s. Before: %s", seen.Round(100*time.Millisecond), rows, took[0],
		regexp.MustCompile("copied and compared .*").FindString(said))
	if seen > 30*time.Second {
		t.Logf("which is more than the 30 s that it should be")
	}
	if told, _ := strconv.Atoi(took[1]); told < int(seen.Seconds()) || told > int(seen.Seconds())+5 {
		t.Errorf("users saw the maintenance page for %s, and %d s are told", seen, told)
	}
	s.moved(tr, func() []string {
		var stored []string
		if err := json.Unmarshal([]byte(s.sql("SELECT coalesce(json_agg(question), '[]') FROM readings WHERE question LIKE 'load-%'")), &stored); err != nil {
			t.Fatal(err)
		}
		return stored
	})
	if n := s.sql("SELECT count(*) FROM readings WHERE question LIKE 'filled %'"); n != strconv.Itoa(rows) {
		t.Errorf("%s of %d earlier rows are there", n, rows)
	}
	reading := s.store(out)
	s.read(out, reading)
	s.unchanged()

	// And back, with what was written since, by a command that is killed behind the page.
	back := startVisits(t, s.id, sampleVisits(20, fmt.Sprint(out["apiUrl"]), ""))
	t.Cleanup(back.stopped)
	s.killedAt("copying, and comparing", "--to", "sqlite", "--yes")
	does(0, "the data are in SQLite", "--continue")
	image, data := fmt.Sprint(out["image"]), s.volume("data")
	s.moved(back, func() []string { return back.inDatabase(data, image) })
	s.read(out, reading)
	if missing := without(tr.said(), tr.inDatabase(data, image)); len(missing) > 0 {
		t.Errorf("%d of what was acknowledged before both moves are missing", len(missing))
	}
	s.unchanged()
	if left := s.docker("volume", "ls", "--quiet", "--filter", "label=tarot.operation", "--filter", "label=tarot.stack="+s.prefix()); left != "" {
		t.Errorf("notes are left: %s", left)
	}
}

// closes has the site asked until the function is called, which returns for how long the maintenance page was seen.
func (s *stack) closes(out map[string]any) func() time.Duration {
	end, ended := make(chan struct{}), make(chan time.Duration)
	go func() {
		var first, last time.Time
		for {
			select {
			case <-end:
				ended <- last.Sub(first)
				return
			case <-time.After(100 * time.Millisecond):
			}
			answer, err := visitor.Get(fmt.Sprint(out["healthUrl"]))
			if err != nil {
				continue
			}
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusServiceUnavailable {
				last = time.Now()
				if first.IsZero() {
					first = last
				}
			}
		}
	}()
	return func() time.Duration { close(end); return <-ended }
}

// killedAt is a move that is killed when it says something, with the `up` that it may run.
func (s *stack) killedAt(says string, words ...string) {
	s.t.Helper()
	s.commandKilledAt(says, append([]string{"database", "move", s.name}, words...)...)
}

// commandKilledAt is the same of another command.
func (s *stack) commandKilledAt(says string, words ...string) {
	s.t.Helper()
	moving := s.began(words...)
	s.until("it says "+says, func() bool {
		return strings.Contains(moving.said(), says) || strings.Contains(moving.said(), "stack: ")
	})
	if err := moving.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = moving.Wait()
	if said := moving.said(); strings.Contains(said, "stack: ") {
		s.t.Fatalf("it has failed before:\n%s", said)
	}
}

// moved reconciles what was acknowledged with what is stored now.
func (s *stack) moved(tr *traffic, stored func() []string) {
	s.t.Helper()
	tr.settled()
	tr.stopped()
	tr.reconcile(stored())
}
