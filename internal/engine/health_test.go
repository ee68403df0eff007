package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

const (
	noCurl  = "/bin/sh: 1: curl: not found\n"
	noFile  = `OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: exec: "curl": executable file not found in $PATH: unknown`
	tooLong = "Health check exceeded timeout (10s)"
)

// checked is a starting container with the results of its last health checks.
func checked(results ...container.HealthcheckResult) container.InspectResponse {
	c := inspected(wanted, "running", container.Starting)
	c.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "/healthy"}}
	for _, r := range results {
		c.State.Health.Log = append(c.State.Health.Log, &r)
	}
	return c
}

func result(code int, output string) container.HealthcheckResult {
	return container.HealthcheckResult{ExitCode: code, Output: output}
}

func TestACheckThatCannotRunIsTakenForOneOnlyWhereItNeverWill(t *testing.T) {
	missing, denied := result(127, noCurl), result(126, "permission denied")
	for _, test := range []struct {
		name    string
		results []container.HealthcheckResult
		want    bool
	}{
		{"none yet", nil, false},
		{"twice", []container.HealthcheckResult{missing, missing}, false},
		{"three times", []container.HealthcheckResult{missing, missing, missing}, true},
		{"not executable", []container.HealthcheckResult{denied, denied, denied}, true},
		{"by the engine", []container.HealthcheckResult{result(-1, noFile), result(-1, noFile), result(-1, noFile)}, true},
		{"after other failures", []container.HealthcheckResult{result(1, ""), missing, missing, missing}, true},
		{"once it was another", []container.HealthcheckResult{missing, missing, result(1, "not ready"), missing, missing}, false},
		{"once it was well", []container.HealthcheckResult{missing, result(0, ""), missing, missing}, false},
		{"and makes another number of it", []container.HealthcheckResult{result(1, noCurl), result(1, noCurl), result(1, noCurl)}, true},
		{"its own words", []container.HealthcheckResult{result(1, "key: not found"), result(1, "key: not found"), result(1, "key: not found")}, false},
		{"and more", []container.HealthcheckResult{result(1, noCurl+"refused"), result(1, noCurl), result(1, noCurl)}, false},
		{"too long", []container.HealthcheckResult{result(-1, tooLong), result(-1, tooLong), result(-1, tooLong)}, false},
		{"a file that is not there yet", []container.HealthcheckResult{result(2, "no such file or directory"), result(2, ""), result(2, "")}, false},
	} {
		if got := checkCannotRun(checked(test.results...)); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if checkCannotRun(container.InspectResponse{}) || checkCannotRun(inspected(wanted, "running", "")) || saidByCheck(nil) != "" {
		t.Error("there is no check")
	}
}

func TestWhatTheCheckSaysIsShown(t *testing.T) {
	for _, test := range []struct {
		name    string
		results []container.HealthcheckResult
		want    string
	}{
		{"nothing", nil, ""},
		{"it is well again", []container.HealthcheckResult{result(1, "x"), result(0, "ok")}, ""},
		{"the same", []container.HealthcheckResult{result(0, ""), result(127, noCurl), result(127, noCurl)},
			"\nits health check says:\nexit code 127: /bin/sh: 1: curl: not found"},
		{"several", []container.HealthcheckResult{result(1, "refused"), result(-1, tooLong), result(1, "")},
			"\nits health check says:\nexit code 1: refused\n" + tooLong + "\nexit code 1"},
		{"more than is shown", []container.HealthcheckResult{result(1, "a"), result(1, "b"), result(1, "c"), result(1, "d")},
			"\nits health check says:\nexit code 1: b\nexit code 1: c\nexit code 1: d"},
		{"long", []container.HealthcheckResult{result(1, strings.Repeat("é", checkShown))},
			"\nits health check says:\nexit code 1: " + strings.Repeat("é", checkShown/2) + " …"},
	} {
		if got := saidByCheck(checked(test.results...).State); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAwaitContainerEndsWhereTheCheckCannotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := result(127, noCurl)
		e := &Engine{api: &fakeAPI{
			container: []container.InspectResponse{checked(missing), checked(missing, missing), checked(missing, missing, missing)},
			logs:      map[string]string{"a": "listening"},
		}}
		begun := time.Now()
		err := e.AwaitContainer(t.Context(), "a", asked, within)
		if took := time.Since(begun); took != 2*pollInterval {
			t.Errorf("after %s", took)
		}
		check(t, err, "container tarot-backend-1 does not run as wanted: ", "its health check can't run in this image")
		const ends = "\nits health check says:\nexit code 127: /bin/sh: 1: curl: not found\nits last log lines:\nlistening"
		if err == nil || !strings.HasSuffix(err.Error(), ends) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAwaitServiceEndsWhereTheCheckCannotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starting := task(wanted, swarm.TaskStateRunning, swarm.TaskStateStarting)
		starting.Status.ContainerStatus = &swarm.ContainerStatus{ContainerID: "one"}
		missing := result(127, noCurl)
		e := &Engine{api: &fakeAPI{
			service:   []moment{{service(wanted, ""), []swarm.Task{starting}}},
			container: []container.InspectResponse{checked(missing), checked(missing, missing, missing)},
		}}
		begun := time.Now()
		err := e.AwaitService(t.Context(), "tarot-backend", Tasks{Image: wanted, Replicas: 1}, within)
		if took := time.Since(begun); took != pollInterval {
			t.Errorf("after %s", took)
		}
		check(t, err, "service tarot-backend does not run as wanted: ", "its health check can't run in this image")
		if err == nil || !strings.Contains(err.Error(), "exit code 127: /bin/sh: 1: curl: not found") {
			t.Errorf("got %v", err)
		}
	})
}

func TestACheckWithASecondTryIsNotTakenForOneThatCannotRun(t *testing.T) {
	for test, want := range map[string]bool{
		"curl -f http://localhost:8000/health":                     true,
		"curl -f http://localhost:8000/health || exit 1":           true,
		"curl -f x || false":                                       true,
		"curl -f x || wget -q x":                                   false,
		"wget -q x || curl -f x || exit 1":                         false,
		"test -f /tmp/ready && curl -f x":                          false,
		"curl -f x; exit $?":                                       false,
		"curl -f x | grep ok":                                      false,
		"curl -f x\nwget x":                                        false,
		"curl -f x || python -c 'import urllib.request' || exit 1": false,
	} {
		no := result(127, noCurl)
		c := checked(no, no, no)
		for _, around := range [][]string{{"CMD-SHELL"}, {"CMD", "/bin/sh", "-c", "run; \"$@\"", "health", "15", "/bin/sh", "-c"}, {"CMD", "/bin/bash", "-lc"}} {
			c.Config.Healthcheck.Test = append(around, test)
			if got := checkCannotRun(c); got != want {
				t.Errorf("%q: %v", c.Config.Healthcheck.Test, got)
			}
		}
		c.Config.Healthcheck.Test = []string{"CMD", "/bin/sh", "-c", "run; \"$@\"", "health", "15", "curl", "-f", "http://localhost/a;b"}
		if !checkCannotRun(c) {
			t.Errorf("a program of the image's, within ours")
		}
	}
	for output, want := range map[string]bool{
		"/bin/sh: 1: curl: not found": true, "/bin/sh: curl: not found\n": true, "/bin/sh: line 1: curl: command not found": true, "bash: curl: command not found": true,
		"curl: (22) The requested URL returned error: 404": false, "page: not found": false, "": false,
	} {
		if got := notFound(&container.HealthcheckResult{ExitCode: 1, Output: output}); got != want {
			t.Errorf("%q: %v", output, got)
		}
	}
}

// Docker calls nothing unhealthy before the start period is over: a minute, for a path that was
// mistyped.
func TestAPageThatIsNotThereIsNotWaitedFor(t *testing.T) {
	const says = "GET /nowhere from port 5000: HTTP/1.0 "
	results := func(answers ...string) (all []container.HealthcheckResult) {
		for _, answer := range answers {
			all = append(all, result(1, answer))
		}
		return all
	}
	gone := says + "404 Not Found"
	for name, test := range map[string]struct {
		results []container.HealthcheckResult
		up      time.Duration
		want    error
	}{
		"five times":                  {results(gone, gone, says+"403 Forbidden", gone, gone), refusedFor, ErrCheckRefused},
		"by wget":                     {results(gone, gone, gone, gone, "GET / from port 80: Connecting to 127.0.0.1\n  HTTP/1.1 401 Unauthorized"), refusedFor, ErrCheckRefused},
		"it has just begun":           {results(gone, gone, gone, gone, gone), refusedFor - 1, nil},
		"four times":                  {results(gone, gone, gone, gone), refusedFor, nil},
		"it was not listening before": {results("port 5000: refused", gone, gone, gone, gone), refusedFor, nil},
		"it has a fault":              {results(gone, gone, gone, gone, says+"500 Internal Server Error"), refusedFor, nil},
		"come again":                  {results(gone, gone, gone, gone, says+"429 Too Many Requests"), refusedFor, nil},
		"the image's own check":       {results("404", "404", "404", "404", "404"), refusedFor, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := checked(test.results...)
			c.State.StartedAt = time.Now().Format(time.RFC3339Nano)
			time.Sleep(test.up)
			e := &Engine{api: &fakeAPI{}}
			if got := e.hopeless(c); got != test.want {
				t.Errorf("%s: %v", name, got)
			}
		})
	}
}
