//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	owners "tarot-platform/internal/process"
)

// Two people with a checkout, a state and a home folder of their own each have one engine.
//
//suite:thorough
func TestTeamOnContainers(t *testing.T) { team(t, "containers") }

//suite:thorough
func TestTeamOnSwarm(t *testing.T) { team(t, "swarm") }

func team(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	ann := releasing(t, runtime)
	ann.config("backend.environment.GREETING", "hello")
	operator := ann.operator()
	ben := ann.colleague()
	docker, err := engine.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := func() bool {
		_, open, err := docker.Operating(t.Context(), ann.prefix())
		if err != nil {
			t.Fatal(err)
		}
		return open
	}

	t.Run("one up at a time", func(t *testing.T) {
		defer ann.in(t)()
		defer ben.in(t)()
		first := ann.begin("up", "--yes", "--skip-preview")
		ann.until("the up has the stack", held)
		has, _, err := docker.Operating(t.Context(), ann.prefix())
		if err != nil || !owners.Here(has.Process) || has.Gone() {
			t.Errorf("%+v, %v", has, err)
		}
		began := time.Now()
		said := ben.refused("an `up` of "+ann.name+" is going on", has.Who, "process "+owners.Number(has.Process), "since 2", "Nothing was touched", "make lock STACK="+ann.name)
		t.Logf("refused after %s, with Pulumi's own start", time.Since(began).Round(10*time.Millisecond))
		if strings.Contains(said, "docker:") {
			t.Errorf("something was made:\n%s", said)
		}
		if said, err := ann.run("preview"); err != nil || !strings.Contains(said, "is going on") || !strings.Contains(said, has.Who) {
			t.Errorf("a preview meanwhile: %v\n%s", err, said)
		}
		if said, code := operator("lock", "status", ann.name); code != 1 || !strings.Contains(said, has.Who) {
			t.Errorf("lock status: %d\n%s", code, said)
		}
		if said, code := operator("lock", "release", ann.name, "--yes"); code != 1 || !strings.Contains(said, "at work on this machine") {
			t.Errorf("the lock of a process that runs: %d\n%s", code, said)
		}
		before := ben.file()
		if said, code := ben.tool("rotate", ben.name, "adminPassword"); code == 0 || !strings.Contains(said, "is going on") {
			t.Errorf("rotate: %d\n%s", code, said)
		}
		if ben.file() != before {
			t.Error("a command that was refused has changed the stack's file")
		}
		if err := first.Wait(); err != nil {
			t.Fatalf("the first: %v\n%s", err, first.said())
		}
		if held() {
			t.Error("the stack is not free after an up")
		}
		all := ann.history()
		if len(all) != 1 || all[0].Operation != "up" || all[0].Result != history.Succeeded || all[0].Seconds < 1 || all[0].From != "" || all[0].To != fmt.Sprint(ann.outputs()["release"]) {
			t.Errorf("%+v", all)
		}
	})

	t.Run("an up that is killed, with its program", func(t *testing.T) {
		defer ann.in(t)()
		ann.config("backend.environment.GREETING", "good evening")
		up := ann.begin("up", "--yes", "--skip-preview")
		ann.until("the up has the stack", held)
		has, _, err := docker.Operating(t.Context(), ann.prefix())
		if err != nil {
			t.Fatal(err)
		}
		program, err := strconv.Atoi(owners.Number(has.Process))
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(program, syscall.SIGKILL)
		_ = up.Process.Kill()
		_ = up.Wait()
		if !held() {
			t.Fatal("it was not killed in its midst")
		}
		if said, code := operator("lock", "status", ann.name); code != 1 || !strings.Contains(said, "has ended") {
			t.Errorf("lock status: %d\n%s", code, said)
		}
		ann.mustRun("cancel", "--yes")
		if said := ann.up(); !strings.Contains(said, "was killed") {
			t.Errorf("nothing is told of the one that was killed:\n%s", said)
		}
		all := ann.history()
		if len(all) != 3 || all[0].Result != history.Succeeded || all[1].Result != history.Killed || ann.settings()["GREETING"] != "good evening" {
			t.Errorf("%+v, %v", all, ann.settings())
		}
	})

	t.Run("an up of which Pulumi is killed alone", func(t *testing.T) {
		defer ann.in(t)()
		ann.config("backend.environment.GREETING", "good night")
		up := ann.begin("up", "--yes", "--skip-preview")
		ann.until("the up has the stack", held)
		_ = up.Process.Kill()
		_ = up.Wait()
		within(t, 10*time.Second, "the stack is free", func() bool { return !held() })
		if all := ann.history(); len(all) != 4 || all[0].Result == history.Succeeded {
			t.Errorf("%+v", all)
		}
		ann.mustRun("cancel", "--yes")
		ann.up()
	})

	t.Run("a rollback binds everybody", func(t *testing.T) {
		defer ann.in(t)()
		defer ben.in(t)()
		from := fmt.Sprint(ann.outputs()["release"])
		ann.moves("rollback")
		to := fmt.Sprint(ann.outputs()["release"])
		all := ann.history()
		if from == to || all[0].Operation != "rollback" || all[0].From != from || all[0].To != to {
			t.Errorf("from %s to %s: %+v", from, to, all[0])
		}
		ben.refused("the release "+to, "returned from "+from, engine.Who(), "make forward STACK="+ann.name, "make rollback STACK="+ann.name+" TO="+to)
		if got := ann.settings()["GREETING"]; got != "good evening" {
			t.Errorf("%v", got)
		}
		ann.moves("forward")
		if all := ann.history(); all[0].Operation != "forward" || all[0].Result != history.Succeeded || all[1].Operation != "up" || all[1].Result != history.Failed {
			t.Errorf("%+v", all[:2])
		}
	})

	t.Run("one that is dead elsewhere", func(t *testing.T) {
		defer ann.in(t)()
		mine := engine.Held{Run: "r", Who: "somebody (runner@ci-7)", Since: time.Now(), Operation: engine.Up, Process: "4711 1 another-machine pid:[1]"}
		if got, err := docker.Lock(t.Context(), ann.prefix(), engine.OperationLock, mine); err != nil || got.Run != mine.Run {
			t.Fatalf("%+v, %v", got, err)
		}
		ann.refused("runner@ci-7", "make lock-release STACK="+ann.name)
		if said, code := operator("lock", "release", ann.name); code == 0 || !held() {
			t.Errorf("it was not asked: %d\n%s", code, said)
		}
		if said, code := operator("lock", "release", ann.name, "--yes"); code != 0 || held() {
			t.Errorf("%d\n%s", code, said)
		}
		ann.up()
		var told []history.Entry
		said, code := operator("history", ann.name, "--json", "--last", "2")
		if err := json.Unmarshal([]byte(said), &told); err != nil || code != 0 || len(told) != 2 || told[0].Operation != "up" || told[1].Result != history.Killed {
			t.Errorf("%v, %d\n%s", err, code, said)
		}
		ann.unchanged()
	})
}

// history is the stack's, the latest first.
func (s *stack) history() []history.Entry {
	s.t.Helper()
	docker, err := engine.Open(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := history.Read(s.t.Context(), docker, s.prefix())
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// colleague has the same stack in another checkout, with another state in another home folder. Pulumi's plugins
// are the machine's.
func (s *stack) colleague() *stack {
	s.t.Helper()
	other := *s
	other.dir = s.t.TempDir()
	if err := os.CopyFS(other.dir, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	folder := s.t.TempDir()
	state := filepath.Join(folder, "state")
	if err := os.MkdirAll(state, 0o755); err != nil {
		s.t.Fatal(err)
	}
	other.env = append(os.Environ(), "PULUMI_BACKEND_URL=file://"+state, "PULUMI_CONFIG_PASSPHRASE=e2e", "PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_HOME="+folder)
	if err := os.Symlink(filepath.Join(pulumiHome(s.t), "plugins"), filepath.Join(folder, "plugins")); err != nil {
		s.t.Fatal(err)
	}
	other.mustRun("stack", "init", other.name)
	return &other
}

// file is what the stack's file says.
func (s *stack) file() string {
	s.t.Helper()
	text, err := os.ReadFile(s.configFile())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// pulumiHome is where Pulumi keeps its plugins.
func pulumiHome(t *testing.T) string {
	t.Helper()
	if set := os.Getenv("PULUMI_HOME"); set != "" {
		return set
	}
	home, err := exec.Command("sh", "-c", `eval "printf %s ~$(id -un)"`).Output() // as Pulumi asks: not $HOME
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(string(home), ".pulumi")
}

// tool runs the operator's, which is built, in this checkout.
func (s *stack) tool(args ...string) (string, int) {
	s.t.Helper()
	b := s.began(args...)
	_ = b.Wait()
	return b.said(), b.ProcessState.ExitCode()
}
