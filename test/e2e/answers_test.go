//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// "I could not ask" is not "there is nothing", and what is gone is not always missed.
//
//suite:thorough
func TestAnswersOnContainers(t *testing.T) { unanswered(t, "containers") }

//suite:thorough
func TestAnswersOnSwarm(t *testing.T) { unanswered(t, "swarm") }

func unanswered(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := rolloutStack(t, runtime, false)
	s.up()
	out := s.outputs()
	first := fmt.Sprint(out["release"])

	t.Run("what was pruned is nothing that must be there", func(t *testing.T) {
		defer s.in(t)()
		before := s.containers("backend")
		s.prune("migrate", "publish-static", "nginx-configuration", "activate-static")
		s.mustRun("up", "--yes", "--skip-preview", "--expect-no-changes")
		same(t, before, s.containers("backend"), 2)
		s.prune()
		s.edit("tarot/__init__.py", func(code string) string { return code + "# pruned\n" })
		s.up()
		if len(s.tasks("migrate")) == 0 {
			t.Error("no migration ran for the release")
		}
		s.prune("migrate")
		s.moves("rollback")
		if now := s.outputs(); now["release"] != first {
			t.Errorf("%v runs, want %s", now["release"], first)
		}
		s.moves("forward")
		// A refresh finds what is gone, and the next `up` makes that again, and nothing else.
		before = s.containers("backend")
		s.mustRun("refresh", "--yes", "--skip-preview")
		s.up()
		same(t, before, s.containers("backend"), 2)
		s.unchanged()
	})

	// Users' requests wait for nginx meanwhile, and none may meet the bad release.
	t.Run("a nginx that does not answer lets no release through", func(t *testing.T) {
		defer s.in(t)()
		now := s.outputs()
		mend := s.breaks(badReleases[len(badReleases)-1]) // which is healthy
		s.docker("pause", s.one("nginx"))
		said, err := s.run("up", "--yes", "--skip-preview")
		s.docker("unpause", s.one("nginx"))
		for _, want := range []string{"can not be asked which release it serves", "(paused)", "docker "} {
			if err == nil || !strings.Contains(said, want) {
				t.Errorf("%v; nothing says %q:\n%s", err, want, said)
			}
		}
		users := get(t, fmt.Sprint(out["healthUrl"])).want(t, "the release before", http.StatusOK)
		if !strings.Contains(string(users.body), fmt.Sprint(now["image"])) {
			t.Errorf("users have %s, not %v", users.body, now["image"])
		}
		// Asked again, nginx answers in the end, and the release is found out.
		paused := s.one("nginx")
		s.docker("pause", paused)
		unpause := func() { _ = exec.Command("docker", "unpause", paused).Run() }
		defer unpause()
		defer time.AfterFunc(12*time.Second, unpause).Stop()
		if said, err := s.run("up", "--yes", "--skip-preview"); err == nil || !strings.Contains(said, "smoke test: POST") {
			t.Errorf("%v; the release was not checked:\n%s", err, said)
		}
		mend()
	})

	if runtime == "containers" {
		t.Run("a failed replica does not come back with the engine", func(t *testing.T) {
			defer s.in(t)()
			var policies []string
			for _, c := range s.all("backend") {
				if c.State.Status == "exited" {
					policies = append(policies, string(c.HostConfig.RestartPolicy.Name))
				}
			}
			if len(policies) == 0 || strings.Join(policies, "") != strings.Repeat("no", len(policies)) {
				t.Errorf("the failed replicas have the restart policies %v", policies)
			}
		})
	}

	t.Run("a nginx that hangs is restarted, and then asked", func(t *testing.T) {
		defer s.in(t)()
		hung := s.one("nginx")
		s.exec(hung, stopProcesses("nginx")) // not the health check, as where nginx itself hangs
		s.docker("kill", "--signal", "STOP", hung)
		s.edit("tarot/__init__.py", func(code string) string { return code + "# hangs\n" })
		said := s.up()
		if strings.Contains(said, "nginx does not run well") {
			t.Errorf("the release went out without a check:\n%s", said)
		}
		s.whole("backend", 2)
		for _, c := range s.all("backend") {
			if runtime == "containers" && c.State.Status == "running" && c.HostConfig.RestartPolicy.Name != "always" {
				t.Errorf("%s would not come back: %s", c.Name, c.HostConfig.RestartPolicy.Name)
			}
		}
		s.unchanged()
	})

	t.Run("what a killed up left pending is cleared by one command", func(t *testing.T) {
		defer s.in(t)()
		s.killed("CLI")
		s.mustRun("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
		if said := s.up(); strings.Contains(said, "pending") {
			t.Errorf("it is warned of what was cleared:\n%s", said)
		}
		s.whole("backend", 2)
	})
}

// prune removes the stack's stopped containers, as `docker system prune` would, and fails
// where one of these tasks has left none.
func (s *stack) prune(tasks ...string) {
	s.t.Helper()
	for _, task := range tasks {
		if len(s.tasks(task)) == 0 {
			s.t.Errorf("no container of %s is left: nothing is tried here", task)
		}
	}
	s.docker("container", "prune", "--force", "--filter", "label=tarot.stack="+s.prefix())
}

// all are a workload's containers, also those that do not run.
func (s *stack) all(workload string) []container.InspectResponse {
	s.t.Helper()
	found, err := api(s.t).ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", "tarot.stack="+s.prefix()), filters.Arg("label", "tarot.workload="+workload))})
	if err != nil {
		s.t.Fatal(err)
	}
	var all []container.InspectResponse
	for _, c := range found {
		if inspected, err := api(s.t).ContainerInspect(context.Background(), c.ID); err == nil {
			all = append(all, inspected)
		}
	}
	return all
}

// tasks are the containers of a one-shot task.
func (s *stack) tasks(task string) []container.InspectResponse { s.t.Helper(); return s.all(task) }
