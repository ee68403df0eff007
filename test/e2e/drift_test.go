//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/drift"
)

// What is changed by hand is found, and nothing else ever is. DRIFT_RUNS is how often a stack that nobody
// has touched is looked at (10).
//
//suite:thorough
func TestDriftOnContainers(t *testing.T) { drifts(t, "containers") }

//suite:thorough
func TestDriftOnSwarm(t *testing.T) { drifts(t, "swarm") }

// byHand is a change by hand, what is found then, and what takes it back; nil: what the finding says.
type byHand struct {
	finds      string
	begin, end func()
}

func drifts(t *testing.T, runtime string) {
	s := prodStack(t, map[string]any{"runtime": runtime, "monitoring.enabled": true})
	// An image of its own: another stack of the same code would put its name right again.
	s.edit("tarot/__init__.py", func(code string) string { return code + "# drift of " + s.id + "\n" })
	s.up()
	look := s.operator()
	var longest, sum time.Duration
	runs := number(t, "DRIFT_RUNS", 10)
	for i := range runs {
		began := time.Now()
		s.drift(look, 0)
		took := time.Since(began)
		sum += took
		longest = max(longest, took)
		if t.Failed() {
			t.Fatalf("run %d of %d", i+1, runs)
		}
	}
	t.Logf("%d runs: %.2f s each, at most %.2f s", runs, sum.Seconds()/float64(runs), longest.Seconds())
	if longest > 30*time.Second {
		t.Errorf("a run took %s", longest)
	}
	s.releasing(look)
	changes := s.changedContainers
	if runtime == "swarm" {
		changes = s.changedServices
	}
	for _, c := range append(changes(), s.changedAnywhere(runtime)...) {
		t.Run(c.finds, func(t *testing.T) {
			defer s.in(t)()
			c.begin()
			found := s.drift(look, 1, strings.Fields(c.finds)...)
			if c.end != nil {
				c.end()
			} else if len(found) == 1 {
				s.mends(found[0].Mend)
			}
			within(t, time.Minute, "it is as it was", func() bool { _, code := look("drift", s.name); return code == 0 })
		})
	}
	s.toldOfDrift(look)
}

// releasing has no false alarm in the middle of a release, and none after the way back from it.
func (s *stack) releasing(look func(...string) (string, int)) {
	s.t.Helper()
	s.config("backend.environment.DB_POOL_SIZE", "6")
	ended := make(chan error)
	go func() {
		_, err := s.run("up", "--yes", "--skip-preview")
		ended <- err
	}()
	codes := map[int]int{}
	for busy := true; busy; {
		select {
		case err := <-ended:
			if busy = false; err != nil {
				s.t.Fatal(err)
			}
		default:
			said, code := look("drift", s.name)
			if codes[code]++; code == 1 {
				s.t.Errorf("in the middle of a release:\n%s", said)
			}
		}
	}
	if codes[2] == 0 {
		s.t.Errorf("nobody was told of the release: exit codes %v", codes)
	}
	s.drift(look, 0)
	s.moves("rollback")
	s.drift(look, 0)
	s.moves("forward")
}

// drift looks for differences, and fails where others are found.
func (s *stack) drift(look func(...string) (string, int), code int, kinds ...string) (found []checks.Check) {
	s.t.Helper()
	before := s.stateSum()
	said, got := look("drift", s.name, "--json")
	var r checks.Report
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		s.t.Fatalf("drift: exit code %d, %v\n%s", got, err, said)
	}
	var is []string
	for _, c := range r.Checks {
		if c.Result == checks.Fail || c.Result == checks.Unknown {
			is, found = append(is, c.ID), append(found, c)
		}
		for _, secret := range []string{"PRIVATE KEY", "by-hand-value"} {
			if strings.Contains(c.Found+c.Checked+c.Mend, secret) {
				s.t.Errorf("%s tells %s", c.ID, secret)
			}
		}
	}
	if got != code || !slices.Equal(is, kinds) {
		s.t.Errorf("drift: exit code %d, and %q; want %d and %q\n%s", got, is, code, kinds, said)
	}
	if s.stateSum() != before {
		s.t.Error("drift has written the state")
	}
	return found
}

// undrifted fails where anything is found, as right after an `up`.
func (s *stack) undrifted() {
	s.t.Helper()
	s.drift(s.operator(), 0)
}

// stateSum is a hash of all that Pulumi has of the stack: its state, its history and its locks.
func (s *stack) stateSum() string {
	s.t.Helper()
	folder := ""
	for _, pair := range s.env {
		if rest, is := strings.CutPrefix(pair, "PULUMI_BACKEND_URL=file://"); is {
			folder = rest
		}
	}
	sum := sha256.New()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %d %s", path, len(content), content)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// mends runs what a finding says.
func (s *stack) mends(command string) {
	s.t.Helper()
	command, _, _ = strings.Cut(command, " puts ")
	command, _, _ = strings.Cut(command, ", a new ")
	command, _, _ = strings.Cut(command, ": Swarm")
	words := strings.Fields(strings.ReplaceAll(command, "'", ""))
	switch {
	case len(words) > 1 && words[0] == "docker" && !slices.Contains(words, "&&"):
		s.docker(words[1:]...)
	case len(words) > 1 && words[0] == "pulumi":
		args := append(words[1:], "--yes", "--skip-preview")
		at := slices.Index(args, "-s")
		s.mustRun(slices.Delete(args, at, at+2)...)
	case len(words) == 4 && words[0] == "make" && words[1] == "rotate":
		if said, code := s.operator()("rotate", s.name, strings.TrimPrefix(words[3], "SECRET=")); code != 0 {
			s.t.Errorf("%s: exit code %d\n%s", command, code, said)
		}
	default:
		s.t.Errorf("nobody here can do %q", command)
	}
}

// anyOf is the name of one of a workload's containers.
func (s *stack) anyOf(workload string) string {
	s.t.Helper()
	var names []string
	for _, c := range s.containers(workload) {
		names = append(names, c.Name[1:])
	}
	if len(names) == 0 {
		s.t.Fatalf("nothing of %s runs", workload)
	}
	slices.Sort(names)
	return names[0]
}

// changedContainers are changes of plain containers.
func (s *stack) changedContainers() []byHand {
	backend, grafana, prefix := s.anyOf("backend"), s.prefix()+"-grafana-1", s.prefix()
	again := func(args ...string) { // another container in the place of one
		s.docker("rm", "-f", grafana)
		s.docker(append([]string{"run", "-d", "--name", grafana, "--restart", "always"}, args...)...)
	}
	image := s.containers("grafana")[s.id1(grafana)].Config.Image
	return []byHand{
		{"container-stopped", func() { s.docker("stop", backend) }, func() { s.docker("start", backend) }},
		{"container-stopped", func() { s.docker("pause", backend) }, nil},
		{"container-memory", func() { s.docker("update", "--memory", "600m", "--memory-swap", "600m", backend) }, nil},
		{"container-cpus", func() { s.docker("update", "--cpus", "1.5", backend) }, func() { s.docker("update", "--cpus", "1", backend) }},
		{"container-restart", func() { s.docker("update", "--restart", "no", backend) }, nil},
		{"container-disconnected", func() { s.docker("network", "disconnect", prefix+"-backend", backend) }, nil},
		{"container-connected", func() { s.docker("network", "connect", "bridge", backend) }, nil},
		{"container-name", func() { s.docker("rename", backend, backend+"-x") }, nil},
		{"container-removed", func() { s.docker("rm", "-f", grafana) }, nil},
		// Another image, other variables, another label, another port.
		{"container-replaced", func() { again("--entrypoint", "sleep", "nginx:1.30", "600") }, func() { s.replacedBy(grafana, "the image nginx:1.30") }},
		{"container-replaced", func() { again("--env", "SECRET=by-hand-value", image) }, func() { s.replacedBy(grafana, "other variables: ", "SECRET") }},
		{"container-replaced", func() { again("--label", "tarot.stack=another", image) }, func() { s.replacedBy(grafana, "another label tarot.stack") }},
		{"container-replaced", func() { again("--publish", "127.0.0.1::3000", image) }, func() { s.replacedBy(grafana, "the ports ") }},
		{"files-changed", func() {
			s.inVolume(s.docker("volume", "ls", "-q", "--filter", "name="+prefix+"-backend-files-secrets"), "echo by-hand-value >/v/admin_password")
		}, nil},
	}
}

// id1 is a container's id.
func (s *stack) id1(name string) string {
	s.t.Helper()
	return strings.TrimSpace(s.docker("inspect", "--format", "{{.Id}}", name))
}

// replacedBy looks at what a container in another one's place is said to be, and mends it.
func (s *stack) replacedBy(name string, says ...string) {
	s.t.Helper()
	found := s.drift(s.operator(), 1, "container-replaced")
	for _, text := range says {
		if len(found) != 1 || !strings.Contains(found[0].Found, text) {
			s.t.Errorf("nothing of %q in %+v", text, found)
		}
	}
	s.docker("rm", "-f", name)
	s.mustRun("up", "--refresh", "--yes", "--skip-preview")
}

// changedServices are changes of Swarm's services; most of one without tasks, as they are sooner done.
func (s *stack) changedServices() []byHand {
	p := s.prefix()
	canary, image := p+"-backend-candidate", "" // runtime's canaryOf
	update := func(args ...string) func() {
		return func() { s.docker(append(append([]string{"service", "update", "--detach"}, args...), canary)...) }
	}
	image = strings.TrimSpace(s.docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", canary))
	return []byHand{
		{"service-replicas", func() { s.docker("service", "scale", "--detach", p+"-backend=4") }, nil},
		{"service-image", update("--image", "nginx:1.30", "--no-resolve-image"), update("--image", image, "--no-resolve-image")},
		{"service-environment", update("--env-add", "SECRET=by-hand-value"), update("--env-rm", "SECRET")},
		{"service-labels", update("--label-add", "who=me"), update("--label-rm", "who")},
		{"service-labels", update("--container-label-add", "who=me"), update("--container-label-rm", "who")},
		{"service-memory", update("--limit-memory", "600m"), nil},
		{"service-networks", update("--network-add", p+"-edge"), update("--network-rm", p+"-edge")},
		{"service-ports", update("--publish-add", fmt.Sprintf("mode=host,published=%d,target=8000", freePort(s.t))), nil},
		{"service-restart", update("--restart-condition", "none"), nil},
		{"service-configs", func() {
			s.docker("config", "create", p+"-other", filepath.Join(s.dir, "Pulumi.yaml"))
			update("--config-add", "source="+p+"-other,target=/run/config/other")()
		}, func() { update("--config-rm", p+"-other")(); s.docker("config", "rm", p+"-other") }},
		{"service-secrets", func() {
			s.docker("secret", "create", p+"-other", filepath.Join(s.dir, "Pulumi.yaml"))
			update("--secret-add", "source="+p+"-other,target=/run/secrets/other")()
		}, func() { update("--secret-rm", p+"-other")(); s.docker("secret", "rm", p+"-other") }},
		{"service-mounts", update("--mount-add", "type=tmpfs,target=/extra"), update("--mount-rm", "/extra")},
		{"container-memory", func() { s.docker("update", "--memory", "600m", "--memory-swap", "600m", s.anyOf("nginx")) }, func() {
			s.docker("update", "--memory", "128m", "--memory-swap", "128m", s.anyOf("nginx"))
		}},
		{"container-connected", func() { s.docker("network", "connect", "bridge", s.anyOf("nginx")) }, func() { s.docker("network", "disconnect", "bridge", s.anyOf("nginx")) }},
		{"stranger-service", func() {
			s.docker("service", "create", "--detach", "--name", p+"-guest", "--network", p+"-backend", "--replicas", "0", "nginx:1.30")
		}, func() { s.docker("service", "rm", p+"-guest") }},
		{"service-removed", func() { s.docker("service", "rm", canary) }, nil},
	}
}

// changedAnywhere are changes in either runtime.
func (s *stack) changedAnywhere(runtime string) []byHand {
	p := s.prefix()
	install := p + "-nginx-configuration"
	guest := func(args ...string) func() {
		return func() {
			s.docker(append(append([]string{"run", "-d", "--name", p + "-guest", "--entrypoint", "sleep"}, args...), "nginx:1.30", "600")...)
		}
	}
	away := func() { s.docker("rm", "-f", p+"-guest") }
	image := fmt.Sprint(s.outputs()["image"])
	all := []byHand{
		{"stranger-container", guest("--network", p+"-backend"), away},
		{"stranger-container", guest("--label", "tarot.stack="+p), away},
		{"stranger-network", func() { s.docker("network", "create", "--label", "tarot.stack="+p, p+"-other") }, func() { s.docker("network", "rm", p+"-other") }},
		{"image-moved", func() { s.docker("tag", "nginx:1.30", image) }, nil},
		{"nginx-configuration", func() { s.inVolume(install, "echo '# by hand' >>/v/current/nginx.conf") }, nil},
	}
	if runtime == "containers" { // in swarm, tasks that have ended hold volumes for a while
		all = append(all, byHand{"container-removed volume-removed", func() {
			s.docker("rm", "-f", p+"-alertmanager-1")
			s.docker("volume", "rm", p+"-alertmanager")
		}, func() { s.mustRun("up", "--refresh", "--yes", "--skip-preview") }})
	}
	if os.Geteuid() == 0 {
		look := s.operator()
		rules := func(more ...string) {
			if said, code := look(append([]string{"firewall", s.name}, more...)...); code != 0 {
				s.t.Errorf("firewall %v: exit code %d\n%s", more, code, said)
			}
		}
		s.t.Cleanup(func() { rules("--remove") })
		all = append(all, byHand{"firewall", func() {
			s.config("nginx.allowFrom", []any{"192.0.2.0/24"})
			rules()
			s.drift(look, 0)
			rules("--remove")
		}, func() {
			rules()
			s.drift(look, 0)
			rules("--remove")
			s.config("nginx.allowFrom", []any{})
		}})
	}
	return all
}

// inVolume runs a script with a volume at /v.
func (s *stack) inVolume(volume, script string) {
	s.t.Helper()
	s.docker("run", "--rm", "--volume", strings.TrimSpace(volume)+":/v", "--entrypoint", "sh", "nginx:1.30", "-c", script)
}

// toldOfDrift is told by the stack's own Alertmanager, as long as there is any.
func (s *stack) toldOfDrift(look func(...string) (string, int)) {
	s.t.Helper()
	told := func() bool { return slices.Contains(s.alerts(), drift.AlertName) }
	alert := func(code int) {
		s.t.Helper()
		if said, got := look("drift", s.name, "--alert"); got != code {
			s.t.Errorf("drift --alert: exit code %d, want %d\n%s", got, code, said)
		}
	}
	alert(0)
	if told() {
		s.t.Error("nothing differs, and there is an alert")
	}
	s.docker("network", "create", "--label", "tarot.stack="+s.prefix(), s.prefix()+"-other")
	alert(1)
	within(s.t, 10*time.Second, "the alert is there", told)
	s.docker("network", "rm", s.prefix()+"-other")
	alert(0)
	within(s.t, 10*time.Second, "the alert has ended", func() bool { return !told() })
}
