//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// What an operator does each day, on one stack, while users ask: a shell, a command beside it, the
// database, the maintenance page, another number of replicas.
//
//suite:thorough
func TestEverydayOnContainers(t *testing.T) { everyday(t, "containers") }

//suite:thorough
func TestEverydayOnSwarm(t *testing.T) { everyday(t, "swarm") }

func everyday(t *testing.T, runtime string) {
	values := rolloutValues(runtime, false)
	values["nginx.tls.mode"] = "off"
	s := prodStack(t, values)
	s.up()
	out := s.outputs()
	s.store(out)
	do := s.operator()
	tool := func(args ...string) (string, int) { t.Helper(); return do(append([]string{"-s", s.name}, args...)...) }
	fails := func(code int, says string, args ...string) {
		t.Helper()
		if said, got := tool(args...); got != code || !strings.Contains(said, says) {
			t.Errorf("%q: exit code %d, want %d, with %q:\n%s", args, got, code, says, said)
		}
	}
	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), "")

	t.Run("a command in a replica", func(t *testing.T) {
		defer s.in(t)()
		begun := time.Now()
		said, code := tool("exec", "backend", "--", "sh", "-c", `echo "$(id -u) $DATABASE_URL"; exit 5`)
		if took := time.Since(begun); code != 5 || said != "10001 "+"sqlite:///./data/prod.db"+"\n" || took > 2*time.Second {
			t.Errorf("%d after %s: %s", code, took, said)
		} else {
			t.Logf("a command in a replica: %s", took)
		}
		fails(0, "replica 2", "exec", "backend", "--replica", "2", "--", "echo", "replica 2")
		fails(125, `SERVICE is "frontend"`, "exec", "frontend", "--", "true")
		fails(125, "replica is 9; of backend there are here: 1, 2", "exec", "backend", "--replica", "9", "--", "true")
		fails(127, "nothing-here", "exec", "backend", "--", "nothing-here")
		if said, code := s.fed("print(6 * 7)\n", "-s", s.name, "exec", "backend", "--", "python", "-"); code != 0 || said != "42\n" {
			t.Errorf("a script by its input: %d, %s", code, said)
		}
	})
	t.Run("a shell", func(t *testing.T) {
		defer s.in(t)()
		begun := time.Now()
		said, code := s.typed("id -u; echo $((40 + 2)); exit 3\n", "-s", s.name, "console")
		if took := time.Since(begun); code != 3 || !strings.Contains(said, "10001") || !strings.Contains(said, "42") || took > 2*time.Second {
			t.Errorf("%d after %s: %s", code, took, said)
		} else {
			t.Logf("a shell, and out of it: %s", took)
		}
		s.write("app/deploy.yaml", s.textOf("app/deploy.yaml")+"console: [python, -c, 'print(\"its own console\")']")
		fails(0, "its own console", "console")
	})
	t.Run("a command once", func(t *testing.T) {
		defer s.in(t)()
		tr.phase("commands once", func() {
			begun := time.Now()
			said, code := tool("run", "--", "sh", "-c", `echo "$(id -u) $DATABASE_URL"; ls /run/secrets; touch /nowhere; exit 6`)
			t.Logf("a command once: %s", time.Since(begun))
			if code != 6 || !strings.Contains(said, "10001 sqlite:///./data/prod.db") || !strings.Contains(said, "Read-only file system") || !strings.Contains(said, "jwt_secret_key") {
				t.Errorf("%d: %s", code, said)
			}
			for _, c := range s.oneOffs() {
				t.Errorf("%s is left", c)
			}
			fails(124, "its time was up: 2s", "run", "--timeout", "2s", "--", "sleep", "60")
			fails(0, "4", "run", "--", "python", "-c", "print(2 + 2)")
		})
		fails(125, "which command?", "run", "backend")
		if left := s.oneOffs(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("it is like a replica, and nobody finds it", func(t *testing.T) {
		defer s.in(t)()
		ended := s.beside("run", "--", "python", "-c", "import time; print('begun', flush=True); time.sleep(60)")
		s.until("it runs", func() bool { return len(s.oneOffs()) == 1 })
		c := s.oneOff()
		like := s.containers("backend")[s.one("backend")]
		if c.Image != like.Image || c.Config.User != like.Config.User || c.HostConfig.Memory != like.HostConfig.Memory || c.HostConfig.NanoCPUs != like.HostConfig.NanoCPUs ||
			!c.HostConfig.ReadonlyRootfs || fmt.Sprint(c.HostConfig.CapDrop) != fmt.Sprint(like.HostConfig.CapDrop) || len(c.NetworkSettings.Networks) != len(like.NetworkSettings.Networks) ||
			len(c.Mounts) != len(like.Mounts) {
			t.Errorf("it is\n%+v\n%+v", c.HostConfig, c.Config)
		}
		for network, at := range c.NetworkSettings.Networks {
			for _, alias := range at.Aliases {
				if alias == "backend" {
					t.Errorf("on %s it is found as %v", network, at.Aliases)
				}
			}
		}
		tr.phase("an up beside it", func() { s.up() })
		if len(s.oneOffs()) != 1 {
			t.Error("the `up` has removed it")
		}
		begun := time.Now()
		if code := ended(syscall.SIGINT); code != 130 {
			t.Errorf("interrupted, it ends with %d", code)
		}
		t.Logf("interrupted, it ended after %s", time.Since(begun))
		s.eventually("it is removed", func() bool { return len(s.oneOffs()) == 0 })
	})
	t.Run("the database", func(t *testing.T) {
		defer s.in(t)()
		tr.phase("questions of the database", func() {
			begun := time.Now()
			said, code := tool("db", "-c", "SELECT count(*) > 0 FROM readings")
			t.Logf("a question of the database: %s", time.Since(begun))
			if code != 0 || said != "1\n" {
				t.Errorf("%d: %s", code, said)
			}
			fails(1, "readonly", "db", "-c", "DELETE FROM readings")
			if said, code := s.fed("CREATE TABLE noted (text TEXT);\nINSERT INTO noted VALUES ('by hand');\n", "-s", s.name, "db", "--write", "--yes"); code != 0 {
				t.Errorf("%d: %s", code, said)
			}
			fails(0, "text\nby hand\n", "db", "--csv", "-c", "SELECT * FROM noted")
			fails(125, "nothing was changed", "db", "--write", "-c", "DELETE FROM noted")
		})
	})
	t.Run("from any folder, and by what is selected", func(t *testing.T) {
		defer s.in(t)()
		cmd := exec.Command(filepath.Join(s.dir, "build-stack"), "exec", "backend", "--", "echo", "found")
		cmd.Dir, cmd.Env = filepath.Join(s.dir, "app", "tarot"), append(s.env, "STACK="+s.name)
		if said, err := cmd.CombinedOutput(); err != nil || string(said) != "found\n" {
			t.Errorf("%v: %s", err, said)
		}
		said, code := tool("__complete", "exec", "")
		if code != 0 || !strings.Contains(said, "backend\n") || !strings.Contains(said, "nginx\n") {
			t.Errorf("%d: %s", code, said)
		}
		if said, code := tool("open", "admin", "--print"); code != 0 || strings.TrimSpace(said) != out["adminUrl"] {
			t.Errorf("%d: %s", code, said)
		}
		if said, code := tool("top", "--once"); code != 0 || !strings.Contains(said, "backend") || !strings.Contains(said, " cores, ") {
			t.Errorf("%d: %s", code, said)
		}
	})
	t.Run("another number of replicas", func(t *testing.T) {
		defer s.in(t)()
		fails(1, `SERVICE is "nginx"; allowed: backend`, "scale", "nginx", "2")
		tr.phase("scale", func() {
			if said, code := tool("scale", "backend", "3"); code != 0 {
				t.Errorf("%d: %s", code, said)
			}
		})
		s.whole("backend", 3)
		s.unchanged()
	})
	tr.stopped()

	t.Run("the maintenance page", func(t *testing.T) {
		defer s.in(t)()
		health := fmt.Sprint(out["healthUrl"])
		users := func(what string, code int) { t.Helper(); get(t, health).want(t, what, code) }
		before := s.containers("nginx")
		begun := time.Now()
		said, code := tool("maintenance", "on")
		took := time.Since(begun)
		if code != 0 || took > 5*time.Second {
			t.Errorf("%d after %s: %s", code, took, said)
		}
		t.Logf("the page was shown after %s", took)
		users("the page", http.StatusServiceUnavailable)
		if said, code := tool("status"); code != 0 || !strings.Contains(said, "the maintenance page is shown since") {
			t.Errorf("status: %d\n%s", code, said)
		}
		same(t, before, s.containers("nginx"), 1)
		again := func() { // in Swarm, another task
			s.docker(map[string]string{"containers": "restart", "swarm": "kill"}[runtime], s.one("nginx"))
			s.whole("nginx", 1)
		}
		again()
		users("the page, after nginx has started again", http.StatusServiceUnavailable)
		if said := s.up(); !strings.Contains(said, "users get the maintenance page, since ") || !strings.Contains(said, "stack maintenance off -s "+s.name) {
			t.Errorf("the `up` says nothing of it:\n%s", said)
		}
		users("the page, after an `up`", http.StatusServiceUnavailable)
		begun = time.Now()
		said, code = tool("maintenance", "off")
		took = time.Since(begun)
		if code != 0 || took > 5*time.Second {
			t.Errorf("%d after %s: %s", code, took, said)
		}
		t.Logf("the page was gone after %s", took)
		users("let in", http.StatusOK)
		again()
		users("let in, after nginx has started again", http.StatusOK)
		if said := s.up(); strings.Contains(said, "users get the maintenance page") {
			t.Errorf("the `up` brings it back:\n%s", said)
		}
		users("let in, after an `up`", http.StatusOK)
		s.config("maintenance", true)
		s.up()
		users("by the file", http.StatusServiceUnavailable)
		if said, code := tool("maintenance", "off"); code != 0 || !strings.Contains(said, "tarot:maintenance is false") {
			t.Errorf("%d: %s", code, said)
		}
		users("let in, whatever the file had said", http.StatusOK)
		s.up()
		users("and after an `up`", http.StatusOK)
		s.unchanged()
	})
}

// fed runs the tool with an input.
func (s *stack) fed(in string, args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.dir, "build-stack"), args...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env, strings.NewReader(in)
	said, _ := cmd.CombinedOutput()
	return string(said), cmd.ProcessState.ExitCode()
}

// typed runs it in a terminal, where somebody types.
func (s *stack) typed(keys string, args ...string) (string, int) {
	s.t.Helper()
	words := []string{filepath.Join(s.dir, "build-stack")}
	for _, a := range args {
		words = append(words, "'"+a+"'")
	}
	cmd := exec.Command("script", "--quiet", "--return", "--command", strings.Join(words, " "), "/dev/null")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, append(s.env, "STACK_TERM=xterm", "TERM=dumb"), strings.NewReader(keys) // as setup/stack-run.sh has it
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		s.t.Fatal(err)
	}
	return said.String(), cmd.ProcessState.ExitCode()
}

// beside starts it, and returns what ends it by a signal: its exit code.
func (s *stack) beside(args ...string) func(syscall.Signal) int {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.dir, "build-stack"), append([]string{"-s", s.name}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return func(signal syscall.Signal) int {
		_ = cmd.Process.Signal(signal)
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
}

// oneOffs are the containers, and services, of the stack's that `stack run` has left.
func (s *stack) oneOffs() (names []string) {
	s.t.Helper()
	of := filters.NewArgs(filters.Arg("label", "tarot.oneoff="+s.prefix()))
	found, err := api(s.t).ContainerList(context.Background(), container.ListOptions{All: true, Filters: of})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range found {
		names = append(names, c.ID)
	}
	services, err := api(s.t).ServiceList(context.Background(), swarm.ServiceListOptions{Filters: of})
	if err == nil && len(found) == 0 {
		for _, service := range services {
			names = append(names, service.ID)
		}
	}
	return names
}

func (s *stack) oneOff() container.InspectResponse {
	s.t.Helper()
	var c container.InspectResponse
	s.until("its container runs", func() bool {
		var err error
		c, err = api(s.t).ContainerInspect(context.Background(), s.oneOffs()[0])
		return err == nil && c.State.Running
	})
	return c
}

// textOf is a file of the copied project, without the end of its last line.
func (s *stack) textOf(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}
