//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// One stack has the host's ports, and sends a name to another one: which may come later, has
// releases of its own, and loses no request by them, nor by a reload of the edge.
//
//suite:thorough
func TestOneEdgeOnContainers(t *testing.T) { oneEdge(t, "containers") }

//suite:thorough
func TestOneEdgeOnSwarm(t *testing.T) { oneEdge(t, "swarm") }

func oneEdge(t *testing.T, runtime string) {
	t.Parallel() // these wait more than they work
	small := func(more map[string]any) *stack {
		values := map[string]any{
			"runtime": runtime, "backend.context": "./jobs/backend", "backend.replicas": 2, "backend.memory": "96m", "backend.drain": "5s", "backend.stopGrace": "10s",
			"backend.health": map[string]any{"interval": "1s", "timeout": "3s", "startPeriod": "10s", "retries": 2},
		}
		maps.Copy(values, more)
		s := prodStack(t, values)
		if err := os.CopyFS(filepath.Join(s.dir, "jobs/backend"), os.DirFS("testdata/jobs/backend")); err != nil {
			t.Fatal(err)
		}
		return s
	}
	edge := small(map[string]any{"nginx.serverNames": []string{"edge.invalid"}})
	subnet := edge.subnet(218)
	edge.config("networks.sitesSubnet", subnet)
	shop := small(map[string]any{"nginx.edge": edge.name, "nginx.serverNames": []string{"shop.invalid"}, "nginx.tls.mode": "off"})
	if said, err := shop.run("preview"); err == nil || !strings.Contains(said, "has no network "+edge.prefix()+"-sites on this engine") {
		t.Errorf("before there is an edge: %v\n%s", err, said)
	}
	edge.up()
	site := func(host string) (string, option) {
		return fmt.Sprintf("https://localhost:%d/jobs", edge.https), func(r *http.Request) { r.Host = host }
	}
	status := func(host string, want int) answer {
		t.Helper()
		url, named := site(host)
		return get(t, url, named).want(t, host, want)
	}

	nginx := edge.containers("nginx")
	hosts := map[string]any{"shop": map[string]any{"stack": shop.name, "hosts": []string{"shop.invalid"}}}
	edge.config("sites", hosts)
	edge.up()
	same(t, nginx, edge.containers("nginx"), 1)
	status("shop.invalid", http.StatusServiceUnavailable)
	status("edge.invalid", http.StatusOK)
	status("stranger.invalid", http.StatusMisdirectedRequest)

	shop.up()
	shop.eventually("the edge finds it", func() bool {
		url, named := site("shop.invalid")
		return get(t, url, named).status == http.StatusOK
	})
	for _, c := range shop.containers("nginx") {
		if len(c.HostConfig.PortBindings) > 0 {
			t.Errorf("%s publishes %v", c.Name, c.HostConfig.PortBindings)
		}
	}
	if url := shop.outputs()["url"]; url != fmt.Sprintf("https://shop.invalid:%d", edge.https) {
		t.Errorf("it is at %v", url)
	}
	shop.unchanged()

	url, named := site("shop.invalid")
	lost := steadily(url, named)
	shop.write("jobs/backend/VERSION", "2")
	shop.up()
	hosts["other"] = map[string]any{"hosts": []string{"other.invalid"}}
	edge.config("sites", hosts)
	edge.up()
	same(t, nginx, edge.containers("nginx"), 1)
	if failed, asked := lost(); len(failed) > 0 || asked < 100 {
		t.Errorf("%d of %d requests are lost: %s", len(failed), asked, strings.Join(failed[:min(len(failed), 5)], "; "))
	}
	if now := status("shop.invalid", http.StatusOK).json(t); now["version"] != "2" {
		t.Errorf("the release is not there: %v", now)
	}
	edge.unchanged()

	t.Run("the edge stays while another stack is behind it", func(t *testing.T) {
		defer edge.in(t)()
		guests := exec.Command("go", "run", "./cmd/stack", "guests", edge.name)
		guests.Dir, guests.Env = "../..", edge.env
		if said, err := guests.CombinedOutput(); err == nil || !strings.Contains(string(said), "of the stack "+shop.prefix()) {
			t.Errorf("a destroy would fail: %v\n%s", err, said)
		}
		edge.config("sites", map[string]any{})
		edge.config("networks.sitesSubnet", "")
		if said, err := edge.run("preview"); err == nil || !strings.Contains(said, "would take the network "+edge.prefix()+"-sites away") {
			t.Errorf("%v\n%s", err, said)
		}
		edge.config("networks.sitesSubnet", subnet)
	})
}

// steadily reads and writes, until it is asked what was lost of that, and how much it has asked.
func steadily(url string, named option) (lost func() (failed []string, asked int)) {
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed []string
	asked := 0
	once := func(method string, want int) {
		request, _ := http.NewRequest(method, url, nil)
		named(request)
		answer, err := visitor.Do(request)
		said := fmt.Sprint(err)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			said = answer.Status
		}
		mu.Lock()
		defer mu.Unlock()
		asked++
		if err != nil || answer.StatusCode != want {
			failed = append(failed, time.Now().Format("05.000 ")+method+": "+said)
		}
	}
	all.Go(func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if n%5 == 0 {
					all.Go(func() { once(http.MethodPost, http.StatusCreated) })
				} else {
					all.Go(func() { once(http.MethodGet, http.StatusOK) })
				}
			}
		}
	})
	return func() ([]string, int) { stop(); all.Wait(); return failed, asked }
}
