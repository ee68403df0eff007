package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

func ended(code int) container.InspectResponse {
	return inspected(wanted, container.StateExited, "", func(s *container.State) { s.ExitCode = code })
}

// partly is what ends with 0 though a process of it was killed for memory.
var partly = inspected(wanted, container.StateExited, "", func(s *container.State) { s.OOMKilled = true })

func TestAwaitJob(t *testing.T) {
	running := inspected(wanted, container.StateRunning, "")
	killed := inspected(wanted, container.StateExited, "", func(s *container.State) { s.ExitCode, s.OOMKilled = 137, true })
	for _, test := range []struct {
		name    string
		moments []container.InspectResponse
		want    string
		did     string
	}{
		{"has ended well", []container.InspectResponse{ended(0)}, "", ""},
		{"is started", []container.InspectResponse{inspected(wanted, container.StateCreated, ""), running, ended(0)}, "", "start id"},
		{"ends well", []container.InspectResponse{running, running, ended(0)}, "", ""},
		{"fails", []container.InspectResponse{running, ended(3)}, "it ended with exit code 3\nits last log lines:\nno such table", ""},
		{"runs out of memory", []container.InspectResponse{killed}, "it was killed: out of memory", ""},
		{"ends well without a part that was killed", []container.InspectResponse{partly}, "it was killed: out of memory", ""},
		{"does not end", []container.InspectResponse{running}, "it did not end, and was stopped: not within 1m0s", "restart policy of id: no,stop id in 10 s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fakeAPI{container: test.moments, logs: map[string]string{"id": "no such table\n"}}
				check(t, (&Engine{api: api}).AwaitJob(t.Context(), "id", within), "", test.want)
				if got := strings.Join(api.done, ","); got != test.did {
					t.Errorf("did %q, want %q", got, test.did)
				}
			})
		})
	}
}

// A killed `up` leaves its task at work: the next one must not start beside it.
func TestAnEarlierRunOfAJobIsAwaited(t *testing.T) {
	for name, test := range map[string]struct {
		since   time.Duration // of its start
		ends    bool
		gone    bool
		failure error
		want    string
		did     string
		waits   time.Duration
		told    string
	}{
		"it ends":                   {since: 20 * time.Second, ends: true, waits: pollInterval, told: "is still at work, the container migrate-1: waiting for its end, for 40s at most"},
		"it does not":               {since: 20 * time.Second, waits: 40 * time.Second, did: "restart policy of a: no,stop a in 10 s", told: "did not end within its 1m0s, and is stopped"},
		"its time has long run out": {since: time.Hour, did: "restart policy of a: no,stop a in 10 s", told: "did not end within its 1m0s, and is stopped"},
		"it can not be asked":       {failure: errors.New("gone"), want: "its earlier run, the container migrate-1: gone"},
		"it has just gone":          {gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				running := inspected(wanted, container.StateRunning, "", func(s *container.State) { s.StartedAt = time.Now().Add(-test.since).Format(time.RFC3339Nano) })
				api := &fakeAPI{containers: []container.Summary{{ID: "a", Names: []string{"/migrate-1"}}}, container: []container.InspectResponse{running, running, running}}
				if test.ends {
					api.container = []container.InspectResponse{running, running, ended(0)}
				}
				if api.inspect = test.failure; test.gone {
					api.inspect = errdefs.ErrNotFound
				}
				var told []string
				begun := time.Now()
				err := (&Engine{api: api}).AwaitEarlier(t.Context(), "tarot-dev", "migrate", within, func(text string) { told = append(told, text) })
				check(t, err, "", test.want)
				if got := strings.Join(api.done, ","); got != test.did || time.Since(begun) != test.waits {
					t.Errorf("did %q after %s, want %q after %s", got, time.Since(begun), test.did, test.waits)
				}
				if got := strings.Join(told, "\n"); !strings.HasSuffix(got, test.told) || test.told == "" && got != "" {
					t.Errorf("told %q, want %q", got, test.told)
				}
			})
		})
	}
}

func TestAttempt(t *testing.T) {
	run := func(id, attempt string, created int64) container.Summary {
		return container.Summary{ID: id, Created: created, Labels: map[string]string{AttemptLabel: attempt}, Names: []string{"/" + id}}
	}
	for _, test := range []struct {
		name  string
		found []container.Summary
		last  container.InspectResponse
		want  int
	}{
		{"the first", nil, ended(0), 0},
		{"after a good one", []container.Summary{run("a", "2", 1)}, ended(0), 2},
		{"after a failed one", []container.Summary{run("a", "2", 1)}, ended(1), 3},
		{"after one that was killed for memory", []container.Summary{run("a", "2", 1)}, partly, 3},
		{"after one that was not started", []container.Summary{run("a", "0", 1)}, inspected(wanted, container.StateCreated, ""), 1},
		{"while one runs", []container.Summary{run("a", "0", 1)}, inspected(wanted, container.StateRunning, ""), 0},
		{"the newest counts", []container.Summary{run("a", "5", 1), run("b", "1", 2), run("c", "9", 0)}, ended(1), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &Engine{api: &fakeAPI{containers: test.found, container: []container.InspectResponse{test.last}}}
			if got, there, err := e.Attempt(t.Context(), "tarot-dev", "migrate"); err != nil || got != test.want || there != (len(test.found) > 0) {
				t.Errorf("%d, there: %v, %v, want %d", got, there, err, test.want)
			}
		})
	}
	e := &Engine{api: &fakeAPI{containers: []container.Summary{run("a", "x", 1)}}}
	if _, _, err := e.Attempt(t.Context(), "tarot-dev", "migrate"); err == nil || !strings.Contains(err.Error(), AttemptLabel) {
		t.Errorf("%v", err)
	}
}

func TestSignal(t *testing.T) {
	api := &fakeAPI{containers: []container.Summary{{ID: "a"}, {ID: "b"}}}
	if err := (&Engine{api: api}).Signal(t.Context(), "tarot-dev", "nginx", "SIGHUP"); err != nil || strings.Join(api.done, ",") != "SIGHUP to a,SIGHUP to b" {
		t.Errorf("%v, %v", api.done, err)
	}
	if err := (&Engine{api: &fakeAPI{}}).Signal(t.Context(), "tarot-dev", "nginx", "SIGHUP"); err == nil {
		t.Error("nobody was told, and nobody says so")
	}
}

// It may not come back with the engine. Also at the end of an `up` that was interrupted.
func TestStopContainer(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	api := &fakeAPI{}
	if err := (&Engine{api: api}).StopContainer(interrupted, "a", 40*time.Second); err != nil || strings.Join(api.done, ",") != "restart policy of a: no,stop a in 40 s" {
		t.Errorf("%v, %v", api.done, err)
	}
}

func TestRunsAndTail(t *testing.T) {
	e := &Engine{api: &fakeAPI{containers: []container.Summary{{ID: "a", Names: []string{"/one"}}, {ID: "b", Names: []string{"/two"}}}, logs: map[string]string{"b": "no such table\n"}}}
	if runs, err := e.Runs(t.Context(), "tarot-dev", "nginx"); runs != 2 || err != nil {
		t.Errorf("%v, %v", runs, err)
	}
	if got := e.Tail(t.Context(), "tarot-dev", "nginx"); got != "\none:\ntwo:\nits last log lines:\nno such table" {
		t.Errorf("%q", got)
	}
	none := &Engine{api: &fakeAPI{}}
	if runs, err := none.Runs(t.Context(), "tarot-dev", "nginx"); runs != 0 || err != nil {
		t.Errorf("%v, %v", runs, err)
	}
}

func TestAStoppedContainerIsStartedOnce(t *testing.T) {
	stopped, healthy := ended(137), inspected(wanted, "running", container.Healthy)
	stopped.State.Health = &container.Health{Status: container.Unhealthy}
	for name, moments := range map[string][]container.InspectResponse{
		"": {stopped, inspected(wanted, "running", container.Starting), healthy}, "it is exited": {stopped},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := &fakeAPI{container: moments}
			check(t, (&Engine{api: api}).AwaitContainer(t.Context(), "id", asked, time.Minute), "container tarot-backend-1 does not run as wanted: ", name)
			if strings.Join(api.done, ",") != "start id" {
				t.Errorf("did %v", api.done)
			}
		})
	}
}

func TestAContainerThatHasBecomeUnhealthyIsRestartedOnce(t *testing.T) {
	hung, starting, healthy := inspected(wanted, "running", container.Unhealthy), inspected(wanted, "running", container.Starting), inspected(wanted, "running", container.Healthy)
	for name, c := range map[string]struct {
		moments []container.InspectResponse
		did     string
	}{
		"":                           {[]container.InspectResponse{hung, starting, healthy}, "restart id"},
		"it is running, unhealthy":   {[]container.InspectResponse{hung, starting, hung}, "restart id"},
		"it is running, unhealthy (": {[]container.InspectResponse{starting, hung}, ""}, // a bad release
	} {
		synctest.Test(t, func(t *testing.T) {
			api := &fakeAPI{container: c.moments}
			check(t, (&Engine{api: api}).AwaitContainer(t.Context(), "id", asked, time.Minute), "container tarot-backend-1 does not run as wanted: ", name)
			if got := strings.Join(api.done, ","); got != c.did {
				t.Errorf("did %q, want %q", got, c.did)
			}
		})
	}
}

// What a failed release has stopped is wanted again.
func TestAContainerThatWasToldNotToComeBackIsToldTo(t *testing.T) {
	stopped, healthy := ended(137), inspected(wanted, "running", container.Healthy)
	stopped.State.Health = &container.Health{Status: container.Unhealthy}
	stopped.HostConfig.RestartPolicy.Name = container.RestartPolicyDisabled
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{container: []container.InspectResponse{stopped, healthy}}
		check(t, (&Engine{api: api}).AwaitContainer(t.Context(), "id", asked, time.Minute), "", "")
		if got := strings.Join(api.done, ","); got != "restart policy of id: always,start id" {
			t.Errorf("did %s", got)
		}
	})
}
