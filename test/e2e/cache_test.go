//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// A Valkey is away, and gets another password for the application, under load: no request is
// lost, /health says that all is well, and what was put into it is used again afterwards.
//
//suite:thorough
func TestCacheOnContainers(t *testing.T) { cache(t, "containers", "cache") }

//suite:thorough
func TestCacheOnSwarm(t *testing.T) { cache(t, "swarm", "queue") }

func cache(t *testing.T, runtime, profile string) {
	s := prodStack(t, map[string]any{
		"runtime": runtime, "monitoring.enabled": true, "monitoring.grafana.enabled": false, "monitoring.interval": "5s", "backend.replicas": 2, "backend.workers": 2,
		"backend.drain": "10s", "backend.stopGrace": "15s",
		"backend.health.interval": "1s", "backend.health.startPeriod": "15s", "backend.health.timeout": "3s",
		"backend.environment": map[string]any{"ENABLE_TEST_ENDPOINTS": "true"},
		"cache.enabled":       true, "cache.profile": profile, "cache.memory": "64m",
	})
	said := s.up()
	if told := strings.Contains(said, "vm.overcommit_memory"); told && profile == "cache" {
		t.Errorf("a cache needs no promise of memory:\n%s", said)
	}
	s.checkHardening("valkey", true)
	s.checkHardening("valkey-exporter", true)
	out, first := s.outputs(), s.cacheAddress()
	if first.Scheme != "redis" || first.User.Username() != "app" || first.Host != "valkey:6379" {
		t.Fatalf("the application is told of %s", first.Redacted())
	}
	health, healthy := fmt.Sprint(out["healthUrl"]), s.watchHealth(fmt.Sprint(out["healthUrl"]))
	get(t, health).want(t, "/health", http.StatusOK)

	tr := startTraffic(t, s.id, fmt.Sprint(out["apiUrl"]), fmt.Sprint(out["staticUrl"])+"/style.css")
	tr.phase("nothing", func() { time.Sleep(3 * time.Second) })
	s.eventually("the cache is used", func() bool { return s.keys(first) > 0 })
	s.eventually("what watches it gets in", func() bool { return s.value("redis_up") == 1 })

	tr.phase("Valkey is killed", func() { s.killOne(runtime, "valkey", 1) })
	if kept := s.keys(first); profile == "queue" && kept == 0 {
		t.Error("what a queue has is not on the disk")
	}
	tr.phase("after it", func() { time.Sleep(3 * time.Second) })
	s.eventually("the cache is used again", func() bool { return s.keys(first) > 0 })
	tr.phase("Valkey hangs", func() {
		id := s.one("valkey")
		s.docker("pause", id)
		time.Sleep(5 * time.Second)
		s.docker("unpause", id)
	})
	tr.phase("after it", func() { time.Sleep(3 * time.Second) })

	server := s.containers("valkey")
	tr.phase("another password", func() { s.config("secretVersions.cachePassword", 1); s.foretold() })
	same(t, server, s.containers("valkey"), 1)
	second := s.cacheAddress()
	if said := s.login(second); said != "OK\nPONG\n" {
		t.Errorf("the new password: %q", said)
	}
	if said := s.login(first); !strings.HasPrefix(said, "WRONGPASS") {
		t.Errorf("the earlier password: %q", said)
	}
	tr.phase("after it", func() { time.Sleep(3 * time.Second) })
	s.eventually("what watches it gets in with another password", func() bool { return s.value("redis_up") == 1 })
	tr.phase("more memory", func() { s.config("cache.memory", "80m"); s.foretold() }) // it restarts, and knows everybody
	if said := s.login(second); said != "OK\nPONG\n" {
		t.Errorf("after a restart the password is not good: %q", said)
	}
	s.eventually("it has more memory", func() bool { return s.value("redis_memory_max_bytes") > 64<<20*3/5 })
	tr.report()
	tr.end(s.volume("data"), fmt.Sprint(out["image"]))
	if wrong := healthy(); wrong > 0 {
		t.Errorf("/health was not 200 %d times", wrong)
	}
	if firing := s.query(`ALERTS{alertname=~"Valkey.+|CacheNotUsed",alertstate="firing"}`); len(firing) > 0 {
		t.Errorf("what was over in seconds is told of: %v", firing)
	}
	s.noPasswords(out, password(first), password(second))
	s.unchanged()
}

func password(address *url.URL) string {
	word, _ := address.User.Password()
	return word
}

// cacheAddress is what a replica finds in its file, and by its variable.
func (s *stack) cacheAddress() *url.URL {
	s.t.Helper()
	file := s.inside("backend", "sh", "-c", `cat "$(. /run/config/environment; echo "$REDIS_URL_FILE")"`)
	if variable := s.inside("backend", "sh", "-c", `. /run/config/environment; printf %s "$REDIS_URL"`); variable != file {
		s.t.Error("the variable and the file have two addresses")
	}
	address, err := url.Parse(file)
	if err != nil || password(address) == "" {
		s.t.Fatalf("the application has no address: %v", err)
	}
	return address
}

// ask sends commands to Valkey as somebody, over a pipe.
func (s *stack) ask(as *url.URL, commands ...string) string {
	s.t.Helper()
	cmd := exec.Command("docker", "exec", "--interactive", s.one("valkey"), "valkey-cli")
	cmd.Stdin = strings.NewReader(strings.Join(append([]string{"AUTH " + as.User.Username() + " " + password(as)}, commands...), "\n") + "\n")
	said, _ := cmd.CombinedOutput() // while it starts there is nobody
	return string(said)
}

func (s *stack) login(as *url.URL) string { s.t.Helper(); return s.ask(as, "PING") }

// keys is how many there are.
func (s *stack) keys(as *url.URL) (count int) {
	s.t.Helper()
	_, _ = fmt.Sscanf(s.ask(as, "DBSIZE"), "OK\n%d", &count)
	return count
}

// watchHealth asks all the time, until it is asked itself how often that went wrong.
func (s *stack) watchHealth(address string) (wrong func() int) {
	ctx, stop := context.WithCancel(context.Background())
	found := make(chan int, 1)
	go func() {
		count := 0
		for ctx.Err() == nil {
			answer, err := visitor.Get(address)
			if err != nil || answer.StatusCode != http.StatusOK {
				count++
			}
			if err == nil {
				_ = answer.Body.Close()
			}
			time.Sleep(100 * time.Millisecond)
		}
		found <- count
	}()
	return func() int { stop(); return <-found }
}

// noPasswords looks for them where they must not be.
func (s *stack) noPasswords(out map[string]any, words ...string) {
	t := s.t
	t.Helper()
	places := map[string]string{
		"docker inspect or history": s.inspections(fmt.Sprint(out["image"])),
		"the state":                 s.mustRun("stack", "export"),
		"the log of Valkey":         s.docker("logs", s.one("valkey")),
		"the list of processes":     s.inside("valkey", "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '"),
		"the accounts":              s.inside("valkey", "cat", "/data/users.acl"),
	}
	if configs, err := api(t).ConfigList(context.Background(), swarm.ConfigListOptions{}); err == nil {
		for _, c := range configs {
			places["the config "+c.Spec.Name] = string(c.Spec.Data)
		}
	}
	words = append(words, s.secrets()...)
	for place, text := range places {
		for _, word := range words {
			quoted, _ := json.Marshal(word)
			if strings.Contains(text, word) || strings.Contains(text, strings.Trim(string(quoted), `"`)) {
				t.Errorf("a password is in %s", place)
			}
		}
	}
	if !strings.Contains(places["the accounts"], "user app on #") {
		t.Error("the accounts are not where they are looked for")
	}
}
