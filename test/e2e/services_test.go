//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A worker that has the backend's image, and a second web server behind routes, through a
// release under load, one that is no good, and back: no request is lost, and no job is lost
// or done twice.
//
//suite:long
func TestServicesOnContainers(t *testing.T) { services(t, "containers") }

//suite:thorough
func TestServicesOnSwarm(t *testing.T) { services(t, "swarm") }

func services(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	s := prodStack(t, map[string]any{
		"runtime": runtime, "backend.context": "./jobs/backend", "backend.replicas": 2, "backend.memory": "96m", "backend.drain": "5s", "backend.stopGrace": "10s",
		"backend.health": map[string]any{"interval": "1s", "timeout": "3s", "startPeriod": "10s", "retries": 2}, "nginx.tls.mode": "off",
		"services": map[string]any{
			"worker": map[string]any{"command": []string{"python", "worker.py"}, "replicas": 2, "memory": "64m", "stopGrace": "10s", "secretEnvironment": []string{"API_KEY"},
				"volumes": map[string]any{"state": "/state"}, "update": "rolling"}, // which its image has no folder for
			"second": map[string]any{"context": "./jobs/second", "port": 3000, "replicas": 2, "memory": "64m", "stopGrace": "10s",
				"health": map[string]any{"path": "/ready", "interval": "1s", "timeout": "3s", "startPeriod": "5s", "retries": 2}},
		},
		"routes": map[string]any{
			"shop": map[string]any{"service": "second", "path": "/shop", "stripPath": true, "timeout": "2s"},
			"host": map[string]any{"service": "second", "host": "second.invalid"},
		},
	})
	for _, folder := range []string{"backend", "second"} {
		if err := os.CopyFS(filepath.Join(s.dir, "jobs", folder), os.DirFS(filepath.Join("testdata/jobs", folder))); err != nil {
			t.Fatal(err)
		}
	}
	key := "own-key-" + s.id
	s.mustRun("config", "set", "--secret", "tarot:API_KEY", key)
	s.up()
	out := s.outputs()
	first := fmt.Sprint(out["release"])
	site := fmt.Sprint(out["url"])

	t.Run("each host and path has its service", func(t *testing.T) {
		for _, test := range []struct{ host, asked, want string }{
			{"", "/shop", "/"}, {"", "/shop/a%2Fb?c=1", "/a%2Fb?c=1"}, {"second.invalid", "/x", "/x"}, {"", "/shopping", ""}, {"", "/", ""},
		} {
			answer := get(t, site+test.asked, func(r *http.Request) {
				if test.host != "" {
					r.Host = test.host
				}
			}).want(t, test.asked, http.StatusOK).json(t)
			if path, _ := answer["path"].(string); path != test.want || answer["version"] != "1" {
				t.Errorf("%s%s: %v, want %q", test.host, test.asked, answer, test.want)
			}
			if answer["database"] != nil {
				t.Errorf("another image has the backend's environment: %v", answer)
			}
		}
		get(t, site+"/shop/slow").want(t, "what takes too long for its route", http.StatusGatewayTimeout)
		get(t, site+"/jobs").want(t, "beside it", http.StatusOK)
	})
	for _, c := range s.containers("worker") {
		if c.State.Health != nil || !c.HostConfig.ReadonlyRootfs || c.Config.Image != out["image"] {
			t.Errorf("%s: health %+v, image %s", c.Name, c.State.Health, c.Config.Image)
		}
	}
	s.checkHardening("second", true)
	if strings.Contains(s.inspections(fmt.Sprint(out["image"])), key) {
		t.Error("a worker's secret is in docker inspect")
	}
	if said, code := s.operator()("status", s.name); code != 0 {
		t.Errorf("status: %d\n%s", code, said)
	}
	s.unchanged()

	lost := s.asking(site)
	s.write("jobs/backend/VERSION", "2")
	s.write("jobs/second/VERSION", "2")
	s.up()
	if now := get(t, site+"/shop").json(t); now["version"] != "2" {
		t.Errorf("the second one is %v", now)
	}
	s.eventually("workers of the release work", func() bool { return s.jobs(site).By["2"] > 0 })
	if at := s.jobs(site); at.By["1"] == 0 {
		t.Errorf("nobody has worked before: %+v", at)
	}

	t.Run("one that is no good takes nobody's place", func(t *testing.T) {
		defer s.in(t)()
		s.config("services.second.environment", map[string]any{"BROKEN": "1"})
		if said, err := s.run("up", "--yes", "--skip-preview"); err == nil || !strings.Contains(said, "-second") {
			t.Errorf("%v\n%s", err, said)
		}
		s.config("services.second.environment", map[string]any{})
		s.up()
	})

	t.Run("the way back takes all of it", func(t *testing.T) {
		defer s.in(t)()
		s.config("releases.pin", first)
		s.up()
		if now := get(t, site+"/shop").json(t); now["version"] != "1" {
			t.Errorf("the second one is %v", now)
		}
		before := s.jobs(site).By["1"]
		s.eventually("workers of the earlier release work", func() bool { return s.jobs(site).By["1"] > before })
	})
	if failed := lost(); len(failed) > 0 {
		t.Errorf("%d requests are lost: %s", len(failed), strings.Join(failed[:min(len(failed), 5)], "; "))
	}
	s.eventually("all jobs are done", func() bool { at := s.jobs(site); return at.Done == at.Stored })
	if at := s.jobs(site); at.Twice > 0 || at.Done != at.Stored || at.Stored < 20 {
		t.Errorf("%+v", at)
	} else {
		t.Logf("%+v", at)
	}
	s.unchanged()
}

// queue is what has become of the jobs.
type queue struct {
	Stored, Done, Twice int
	By                  map[string]int
}

func (s *stack) jobs(site string) (q queue) {
	s.t.Helper()
	said := get(s.t, site+"/jobs").want(s.t, "the jobs", http.StatusOK).json(s.t)
	number := func(value any) int { n, _ := value.(float64); return int(n) }
	q = queue{number(said["stored"]), number(said["done"]), number(said["twice"]), map[string]int{}}
	by, _ := said["by"].(map[string]any)
	for version, count := range by {
		q.By[version] = number(count)
	}
	return q
}

// asking puts jobs into the queue, and asks the second server, until it is asked what was
// lost of that.
func (s *stack) asking(site string) (lost func() []string) {
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed []string
	once := func(method, path string, want int) {
		request, _ := http.NewRequest(method, site+path, nil)
		answer, err := visitor.Do(request)
		said := fmt.Sprint(err)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if said = answer.Status; err == nil && answer.StatusCode == want {
				return
			}
		}
		mu.Lock()
		defer mu.Unlock()
		failed = append(failed, time.Now().Format("05.000 ")+method+" "+path+": "+said)
	}
	each := func(pause time.Duration, do func()) {
		all.Go(func() {
			ticker := time.NewTicker(pause)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					all.Go(do)
				}
			}
		})
	}
	each(250*time.Millisecond, func() { once(http.MethodPost, "/jobs", http.StatusCreated) }) // two workers do up to six a second
	each(50*time.Millisecond, func() { once(http.MethodGet, "/shop/x", http.StatusOK) })
	return func() []string { stop(); all.Wait(); return failed }
}

// write changes a file of the copied project.
func (s *stack) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text+"\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
}
