package engine

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
)

const (
	wanted = "app:2"
	within = time.Minute
)

func spec(image string) swarm.TaskSpec {
	return swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: image, Healthcheck: &container.HealthConfig{Test: []string{"CMD", "/healthy"}}}}
}

func service(image string, state swarm.UpdateState) swarm.Service {
	s := swarm.Service{Spec: swarm.ServiceSpec{TaskTemplate: spec(image)}}
	s.Spec.TaskTemplate.Runtime = swarm.RuntimeContainer // the engine fills it in, here only
	if state != "" {
		s.UpdateStatus = &swarm.UpdateStatus{State: state, Message: "as the test says"}
	}
	return s
}

func unchecked(check *container.HealthConfig) swarm.Service {
	s := service(wanted, "")
	s.Spec.TaskTemplate.ContainerSpec.Healthcheck = check
	return s
}

func scaledTo(replicas uint64) swarm.Service {
	s := service(wanted, "")
	s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &replicas}
	return s
}

func task(image string, desired, is swarm.TaskState) swarm.Task {
	return swarm.Task{Slot: 1, Spec: spec(image), DesiredState: desired, Status: swarm.TaskStatus{State: is}}
}

func running(image string, count int) []swarm.Task {
	var all []swarm.Task
	for range count {
		all = append(all, task(image, swarm.TaskStateRunning, swarm.TaskStateRunning))
	}
	return all
}

func failed(image, says, container string) swarm.Task {
	t := task(image, swarm.TaskStateShutdown, swarm.TaskStateFailed)
	t.Status.Err, t.Status.Timestamp = says, time.Unix(1, 0)
	if container != "" {
		t.Status.ContainerStatus = &swarm.ContainerStatus{ContainerID: container}
	}
	return t
}

func TestAwaitService(t *testing.T) {
	starting := task(wanted, swarm.TaskStateRunning, swarm.TaskStateStarting)
	gone := task("app:1", swarm.TaskStateShutdown, swarm.TaskStateShutdown)
	imageless := failed(wanted, "No such image: "+wanted, "")
	imageless.Status.State = swarm.TaskStateRejected
	for _, test := range []struct {
		name    string
		moments []moment
		after   time.Duration // how long it takes
		want    string        // what the error says; empty: none
	}{
		{"runs already", []moment{{service(wanted, ""), running(wanted, 2)}}, 0, ""},
		{"was updated before", []moment{{service(wanted, swarm.UpdateStateCompleted), append(running(wanted, 2), gone)}}, 0, ""},
		{"is pinned to a digest", []moment{{service(wanted+"@sha256:0123", ""), running(wanted+"@sha256:0123", 2)}}, 0, ""},
		{"starts", []moment{
			{service(wanted, ""), nil},
			{service(wanted, ""), append(running(wanted, 1), starting)},
			{service(wanted, ""), running(wanted, 2)},
		}, 2 * pollInterval, ""},
		{"is updated", []moment{
			{service(wanted, ""), running("app:1", 2)}, // before the update begins
			{service(wanted, swarm.UpdateStateUpdating), append(running("app:1", 1), running(wanted, 1)...)},
			{service(wanted, swarm.UpdateStateUpdating), running(wanted, 2)}, // all run, and it may still be rolled back
			{service(wanted, swarm.UpdateStateCompleted), running(wanted, 2)},
		}, 3 * pollInterval, ""},
		{"is scaled down", []moment{
			{service(wanted, ""), running(wanted, 3)},
			{service(wanted, ""), append(running(wanted, 2), task(wanted, swarm.TaskStateShutdown, swarm.TaskStateShutdown))},
		}, pollInterval, ""},
		{"recovers from a few failures", []moment{
			{service(wanted, ""), []swarm.Task{failed(wanted, "x", ""), failed(wanted, "x", ""), starting}},
			{service(wanted, ""), append(running(wanted, 2), failed(wanted, "x", ""), failed(wanted, "x", ""))},
		}, pollInterval, ""},

		{"was rejected while its image was gone", []moment{
			{service(wanted, ""), []swarm.Task{imageless, imageless, imageless, imageless, starting}},
			{service(wanted, ""), append(running(wanted, 2), imageless, imageless, imageless, imageless)},
		}, pollInterval, ""},

		{"is rolled back", []moment{
			{service(wanted, swarm.UpdateStateUpdating), append(running("app:1", 1), running(wanted, 1)...)},
			{service("app:1", swarm.UpdateStateRollbackStarted), running("app:1", 2)},
		}, pollInterval, "its update is rollback_started: as the test says (last seen: 1 of 2 tasks run, 1 of an earlier release, 0 failed)"},
		{"was rolled back before it was asked", []moment{{service("app:1", swarm.UpdateStateRollbackCompleted), running("app:1", 2)}}, 0,
			"its update is rollback_completed: as the test says"},
		{"is stuck in a rollback", []moment{{service("app:1", swarm.UpdateStateRollbackPaused), nil}}, 0, "its update is rollback_paused"},
		{"is paused", []moment{{service(wanted, swarm.UpdateStatePaused), running(wanted, 2)}}, 0, "its update is paused"},
		{"runs another image", []moment{{service("app:1", ""), running("app:1", 2)}}, 0, "it runs app:1, not app:2"},
		{"has no health check", []moment{{unchecked(nil), nil}}, 0, "image app:2 has no health check"},
		{"has its image's check", []moment{{unchecked(&container.HealthConfig{}), nil}}, 0, "image app:2 has no health check"},
		{"has its health check turned off", []moment{{unchecked(&container.HealthConfig{Test: []string{"NONE"}}), nil}}, 0, "image app:2 has no health check"},
		{"is scaled by hand", []moment{{scaledTo(0), nil}}, 0, "it is scaled to 0, not 2: `pulumi up --refresh` mends it"},
		{"is scaled as wanted", []moment{{scaledTo(2), running(wanted, 2)}}, 0, ""},
		{"fails at every start", []moment{
			{service(wanted, ""), []swarm.Task{starting}},
			{service(wanted, ""), []swarm.Task{failed(wanted, "x", ""), failed(wanted, "x", ""), starting}},
			{service(wanted, ""), []swarm.Task{failed(wanted, "x", ""), failed(wanted, "x", ""), failed(wanted, "x", ""), starting}},
		}, 2 * pollInterval, "0 of 2 tasks run, 0 of an earlier release, 3 failed"},
		{"keeps a task of an earlier release", []moment{{service(wanted, ""), append(running(wanted, 2), running("app:1", 1)...)}}, within,
			"not within 1m0s (last seen: 2 of 2 tasks run, 1 of an earlier release, 0 failed)"},
		{"lacks a task", []moment{{service(wanted, ""), append(running(wanted, 1), starting)}}, within,
			"not within 1m0s (last seen: 1 of 2 tasks run, 0 of an earlier release, 0 failed)"},
		{"never completes", []moment{{service(wanted, swarm.UpdateStateUpdating), running(wanted, 2)}}, within, "not within 1m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &Engine{api: &fakeAPI{service: test.moments}}
				begun := time.Now()
				err := e.AwaitService(t.Context(), "tarot-backend", Tasks{Image: wanted, Replicas: 2}, within)
				if took := time.Since(begun); took != test.after {
					t.Errorf("after %s, want %s", took, test.after)
				}
				check(t, err, "service tarot-backend does not run as wanted: ", test.want)
			})
		})
	}
}

func check(t *testing.T, err error, prefix, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.HasPrefix(err.Error(), prefix+want)):
		t.Errorf("got %v, want %s%s", err, prefix, want)
	}
}

func TestAwaitServiceTakesAnImageThatIsNamedByItsDigest(t *testing.T) {
	const pinned = "app:2@sha256:0123"
	e := &Engine{api: &fakeAPI{service: []moment{{service(pinned, ""), running(pinned, 1)}}}}
	if err := e.AwaitService(t.Context(), "x", Tasks{Image: pinned, Replicas: 1}, time.Second); err != nil {
		t.Error(err)
	}
	if err := e.AwaitService(t.Context(), "x", Tasks{Image: "app:2@sha256:4567", Replicas: 1}, time.Second); err == nil {
		t.Error("another digest is taken")
	}
}

func TestAwaitServiceShowsTheNewestFailuresLog(t *testing.T) {
	older, newer := failed(wanted, "task: non-zero exit (1)", "one"), failed(wanted, "task: non-zero exit (2)", "two")
	older.Status.Timestamp, newer.Status.Timestamp = time.Unix(1, 0), time.Unix(2, 0)
	e := &Engine{api: &fakeAPI{
		service: []moment{{service("app:1", swarm.UpdateStateRollbackCompleted), []swarm.Task{newer, older}}},
		logs:    map[string]string{"one": "wrong", "two": "no such table\n"},
	}}
	err := e.AwaitService(t.Context(), "tarot-backend", Tasks{Image: wanted, Replicas: 2}, within)
	const want = "\ntarot-backend.1: failed task: non-zero exit (2)\nits last log lines:\nno such table"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAwaitEndsWhereTheEngineDoesNotAnswer(t *testing.T) {
	e := &Engine{api: &fakeAPI{failure: errors.New("it is gone")}}
	check(t, e.AwaitService(t.Context(), "a", Tasks{Image: wanted, Replicas: 1}, within), "service a does not run as wanted: ", "it is gone")
	check(t, e.AwaitContainer(t.Context(), "a", asked, within), "container a does not run as wanted: ", "it is gone")
}

func TestAwaitContainerSaysHowAContainerThatIsGoneComesBack(t *testing.T) {
	err := (&Engine{api: &fakeAPI{failure: errdefs.ErrNotFound}}).AwaitContainer(t.Context(), "a", asked, within)
	check(t, err, "container a does not run as wanted: ", "it is in the stack's state, but no longer on the engine: `pulumi up --refresh`")
}

func inspected(image, status, health string, change ...func(*container.State)) container.InspectResponse {
	state := &container.State{Status: status, Running: status == "running" || status == "restarting", Restarting: status == "restarting"}
	if health != "" {
		state.Health = &container.Health{Status: health}
	}
	for _, c := range change {
		c(state)
	}
	return container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{Name: "/tarot-backend-1", State: state,
			HostConfig: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: Restart}, Resources: container.Resources{Memory: 512 << 20, NanoCPUs: 250_000_000}}},
		Config:          &container.Config{Image: image},
		NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{"tarot-edge": {}, "other": {}}},
	}
}

// asked is what inspected is.
var asked = Wanted{Image: wanted, CPUs: 0.25, Memory: 512<<20 + 1, Networks: []string{"tarot-edge"}}

func TestAContainerThatWasChangedByHandIsNotWhatWasAskedFor(t *testing.T) {
	healthy := inspected(wanted, "running", container.Healthy)
	for want, change := range map[string]func(*Wanted){
		"": func(*Wanted) {},
		"its memory is limited to 536870912 bytes, not 268435456: `pulumi up --refresh` mends it":                     func(w *Wanted) { w.Memory = 256 << 20 },
		"it may use 0.25 cores, not 0.3: `pulumi up --refresh` mends it":                                              func(w *Wanted) { w.CPUs = 0.3 },
		"it may use 0.25 cores, not 0: `pulumi up --refresh` mends it":                                                func(w *Wanted) { w.CPUs = 0 },
		"it is not on the network tarot-backend: `docker network connect tarot-backend tarot-backend-1` mends it for": func(w *Wanted) { w.Networks = []string{"tarot-edge", "tarot-backend"} },
	} {
		w := asked
		change(&w)
		e := &Engine{Info: system.Info{MemoryLimit: true, CPUCfsQuota: true}, api: &fakeAPI{container: []container.InspectResponse{healthy}}}
		check(t, e.AwaitContainer(t.Context(), "a", w, within), "container tarot-backend-1 does not run as wanted: ", want)
		if !strings.Contains(want, "network") {
			e.Info = system.Info{}
			check(t, e.AwaitContainer(t.Context(), "a", w, within), "", "")
		}
	}
}

func TestAwaitContainer(t *testing.T) {
	starting, unhealthy := inspected(wanted, "running", container.Starting), inspected(wanted, "running", container.Unhealthy)
	healthy := inspected(wanted, "running", container.Healthy)
	ended := inspected(wanted, "exited", container.Starting, func(s *container.State) { s.ExitCode = 3 })
	restarted := inspected(wanted, "running", container.Starting)
	restarted.RestartCount = 3
	for _, test := range []struct {
		name    string
		moments []container.InspectResponse
		after   time.Duration
		want    string
	}{
		{"is healthy", []container.InspectResponse{healthy}, 0, ""},
		{"gets healthy", []container.InspectResponse{inspected(wanted, "created", container.Starting), starting, healthy}, 2 * pollInterval, ""},
		{"was healthy before it went down", []container.InspectResponse{inspected(wanted, "restarting", container.Healthy), healthy},
			pollInterval, ""},
		{"runs another image", []container.InspectResponse{inspected("app:1", "running", container.Healthy)}, 0, "it runs app:1, not app:2"},
		{"has no health check", []container.InspectResponse{inspected(wanted, "running", "")}, 0, "image app:2 has no health check"},
		{"is unhealthy", []container.InspectResponse{starting, unhealthy}, pollInterval,
			"it is running, unhealthy"},
		{"has ended", []container.InspectResponse{ended}, pollInterval, "it is exited, starting (exit code 3, 0 restarts)"},
		{"restarts all the time", []container.InspectResponse{restarted}, 0, "it is running, starting (exit code 0, 3 restarts)"},
		{"never gets healthy", []container.InspectResponse{starting}, within, "not within 1m0s (last seen: running, starting)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &Engine{api: &fakeAPI{container: test.moments, logs: map[string]string{"tarot-backend-1": "the log\n"}}}
				begun := time.Now()
				err := e.AwaitContainer(t.Context(), "tarot-backend-1", asked, within)
				if took := time.Since(begun); took != test.after {
					t.Errorf("after %s, want %s", took, test.after)
				}
				check(t, err, "container tarot-backend-1 does not run as wanted: ", test.want)
				if err != nil && !strings.HasSuffix(err.Error(), "\nits last log lines:\nthe log") {
					t.Errorf("without the log: %v", err)
				}
			})
		})
	}
}

// Without a check, what ends within its time has not started, however often it is begun anew.
func TestWithoutACheckAContainerHasToRunForItsTime(t *testing.T) {
	begun := func(status string, restarts int) container.InspectResponse {
		c := inspected(wanted, status, "", func(s *container.State) { s.StartedAt = time.Now().Format(time.RFC3339Nano) })
		c.RestartCount = restarts
		return c
	}
	steady := asked
	steady.Steady = 5 * time.Second
	for _, test := range []struct {
		name    string
		moments func() []container.InspectResponse
		after   time.Duration
		want    string
	}{
		{"it runs", func() []container.InspectResponse { return []container.InspectResponse{begun("running", 0)} }, 5 * time.Second, ""},
		{"it has run for long", func() []container.InspectResponse {
			c := begun("running", 0)
			c.State.StartedAt = time.Now().Add(-time.Hour).Format(time.RFC3339Nano)
			return []container.InspectResponse{c}
		}, 0, ""},
		{"it has not been started yet", func() []container.InspectResponse {
			created := begun("created", 0)
			created.State.StartedAt = ""
			return []container.InspectResponse{created}
		}, within, "not within 1m0s (last seen: created)"},
		{"it ends again and again", func() []container.InspectResponse {
			return []container.InspectResponse{begun("running", 0), begun("restarting", 1), begun("restarting", 3)}
		}, 2 * pollInterval, "it is restarting (exit code 0, 3 restarts)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &Engine{api: &fakeAPI{container: test.moments()}}
				start := time.Now()
				err := e.AwaitContainer(t.Context(), "a", steady, within)
				if took := time.Since(start); took != test.after {
					t.Errorf("after %s, want %s", took, test.after)
				}
				check(t, err, "container tarot-backend-1 does not run as wanted: ", test.want)
			})
		})
	}
}

func TestWithoutACheckTasksHaveToRunForTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := &container.HealthConfig{Test: []string{"NONE"}}
		now := unchecked(off)
		tasks := running(wanted, 2)
		for i := range tasks {
			tasks[i].Spec.ContainerSpec.Healthcheck, tasks[i].Status.Timestamp = off, time.Now()
		}
		e := &Engine{api: &fakeAPI{service: []moment{{now, tasks}}}}
		start := time.Now()
		if err := e.AwaitService(t.Context(), "a", Tasks{Image: wanted, Replicas: 2, Steady: 5 * time.Second}, within); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}
