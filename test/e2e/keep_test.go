//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNothingOfUsersIsLost has a stack meet what loses or mixes up data: releases that
// come and go, a killed migration, a way back, other stacks and other applications.
//
//suite:core
func TestNothingOfUsersIsLost(t *testing.T) {
	t.Parallel() // these wait more than they work
	s := prodStack(t, map[string]any{
		"runtime": "containers", "backend.context": "./keeper", "backend.replicas": 1, "backend.memory": "64m",
		"nginx.tls.mode": "off", "releases.keep": 1,
	})
	if err := os.CopyFS(filepath.Join(s.dir, "keeper"), os.DirFS("testdata/keeper")); err != nil {
		t.Fatal(err)
	}
	releases := 0
	edit := func() {
		releases++
		s.append("keeper/server.py", fmt.Sprintf("# release %d\n", releases))
	}
	inBackend := func(command string) string { return s.docker("exec", s.one("backend"), "sh", "-c", command) }
	s.up()
	first := s.releaseOf(fmt.Sprint(s.outputs()["image"]))

	t.Run("a way back leaves the schema as it is, also where nothing runs", func(t *testing.T) {
		defer s.in(t)()
		edit()
		s.up()
		before := inBackend("cat data/migrations")
		s.docker("rm", "--force", s.one("backend"))
		s.config("releases.pin", first)
		s.mustRun("up", "--yes", "--skip-preview", "--refresh")
		if after := inBackend("cat data/migrations"); after != before {
			t.Errorf("the rollback migrated: %q, before it %q", after, before)
		}
		s.moves("forward")
	})

	t.Run("what the application wrote among static files", func(t *testing.T) {
		defer s.in(t)()
		const find = "find static/r -name dog.txt -o -name note.txt"
		inBackend(`mkdir -p "$STATIC_DIR/uploads" && echo a dog >"$STATIC_DIR/uploads/dog.txt"`)
		edit()
		if said := s.up(); !strings.Contains(said, "of an earlier release, has files that the application may have written: 1, such as ./uploads/dog.txt") {
			t.Errorf("nothing says what users do not get any more:\n%s", said)
		}
		edit()
		said := s.up()
		if found := inBackend(find); strings.Count(found, "dog.txt") != 1 || strings.Count(found, "note.txt") != 2 {
			t.Errorf("there are\n%s", found)
		}
		for _, want := range []string{"kept: r/", "has files that the application may have written: 1, such as ./uploads/dog.txt", "belongs below /app/data"} {
			if !strings.Contains(said, want) {
				t.Errorf("nothing says %q:\n%s", want, said)
			}
		}
	})

	t.Run("the migration of a killed up", func(t *testing.T) {
		defer s.in(t)()
		inBackend("touch data/slow")
		edit()
		killed := s.begin("up", "--yes", "--skip-preview")
		s.until("the migration runs", func() bool { return len(s.containers("migrate")) == 1 })
		_ = killed.Process.Kill()
		_ = killed.Wait()
		s.mustRun("cancel", "--yes")
		next := s.begin("up", "--yes", "--skip-preview")
		s.until("the next up waits", func() bool { return strings.Contains(next.said(), "an earlier run is still at work") })
		if n := len(s.containers("migrate")); n != 1 {
			t.Errorf("%d migrations run", n)
		}
		inBackend("rm data/slow")
		if err := next.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, next.said())
		}
		if left := strings.ReplaceAll(inBackend("cat data/migrations"), "begins\nends\n", ""); left != "" {
			t.Errorf("two at once, or one that did not end: %q", left)
		}
	})

	t.Run("another application", func(t *testing.T) {
		defer s.in(t)()
		folder, err := filepath.Abs("testdata/application")
		if err != nil {
			t.Fatal(err)
		}
		s.config("backend.context", folder)
		said, err := s.run("preview")
		for _, want := range []string{`holds /app/data/prod.db of the application \"keeper\"`, "docker volume rm " + s.prefix() + "-uses-" + s.volume("data")} {
			if err == nil || !strings.Contains(strings.ReplaceAll(said, `"keeper"`, `\"keeper\"`), want) {
				t.Errorf("%v; nothing says %q:\n%s", err, want, said)
			}
		}
		if err := os.Rename(filepath.Join(s.dir, "keeper"), filepath.Join(s.dir, "moved")); err != nil { // its name moves along
			t.Fatal(err)
		}
		s.config("backend.context", "./moved")
		s.mustRun("preview")
	})

	t.Run("another stack", func(t *testing.T) {
		defer s.in(t)()
		other := prodStack(t, map[string]any{"runtime": "containers", "nginx.httpPort": s.http, "networks.edgeSubnet": s.subnet(214),
			"backend.databaseUrl": "sqlite:///./data/other.db"})
		other.config("volumes.static", s.volume("static"))
		other.config("volumes.data", s.volume("data"))
		said, err := other.run("preview")
		for _, want := range []string{
			"volumes.static: ", "is used by the stack " + s.prefix() + ",",
			"is published by the container " + s.prefix() + "-nginx-1 of the stack " + s.prefix(),
			"of the network " + s.prefix() + "-edge of the stack " + s.prefix(),
		} {
			if err == nil || !strings.Contains(said, want) {
				t.Errorf("%v; nothing says %q:\n%s", err, want, said)
			}
		}
		if strings.Contains(said, "volumes.data: ") {
			t.Errorf("one project's stacks can't share the folder of their databases:\n%s", said)
		}
	})

	t.Run("a container that somebody has attached", func(t *testing.T) {
		defer s.in(t)()
		guest := "e2e-" + s.id + "-guest"
		s.docker("run", "--detach", "--name", guest, "--network", s.prefix()+"-backend", fmt.Sprint(s.outputs()["image"]), "sleep", "600")
		defer s.docker("rm", "--force", guest)
		if said := s.mustRun("preview"); !strings.Contains(said, "docker network disconnect --force "+s.prefix()+"-backend "+guest) {
			t.Errorf("nobody is told:\n%s", said)
		}
		guests := exec.Command("go", "run", "./cmd/stack", "guests", s.name)
		guests.Dir, guests.Env = "../..", s.env
		if said, err := guests.CombinedOutput(); err == nil || !strings.Contains(string(said), guest) {
			t.Errorf("a destroy would fail: %v\n%s", err, said)
		}
	})
}

// append adds a line to a file of the project.
func (s *stack) append(name, line string) {
	s.t.Helper()
	file, err := os.OpenFile(filepath.Join(s.dir, name), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(line)
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// begun is a command of the CLI that goes on.
type begun struct {
	*exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *begun) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *begun) said() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (s *stack) begin(args ...string) *begun {
	s.t.Helper()
	b := &begun{Cmd: exec.Command("pulumi", append(args, "--non-interactive", "--color", "never", "--stack", s.name)...)}
	b.Dir, b.Env, b.Stdout, b.Stderr = s.dir, s.env, b, b
	b.WaitDelay = 10 * time.Second // the plugins of a killed CLI keep its output open
	if err := b.Start(); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// until waits for what takes seconds, on a machine that may be busy.
func (s *stack) until(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if is() {
			return
		}
	}
	s.t.Fatalf("%s: not within five minutes", what)
}
