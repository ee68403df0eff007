package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/go-connections/nat"
)

var hardEngine = system.Info{PidsLimit: true, SecurityOptions: []string{"name=apparmor", "name=seccomp,profile=default"}}

// hard is a container that passes each rule, but for those that have an exception for everybody.
func hard() Subject {
	most := int64(100)
	return Subject{Workload: "backend", Title: "backend-1", InspectResponse: container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{AppArmorProfile: "docker-default", HostConfig: &container.HostConfig{
			CapDrop: []string{"ALL"}, ReadonlyRootfs: true, SecurityOpt: []string{"no-new-privileges"},
			RestartPolicy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 5},
			Resources:     container.Resources{Memory: 1 << 20, NanoCPUs: 1e9, PidsLimit: &most},
		}},
		Config: &container.Config{User: "10001:10001", Image: "app@sha256:abc", WorkingDir: "/app", Healthcheck: &container.HealthConfig{Test: []string{"CMD", "ask"}},
			Env: []string{"PATH=/bin", "SECRET_KEY_FILE=/run/secrets/key", "TOKEN_VERSION=1", "ACCESS_TOKEN_MINUTES=30", "DATABASE_URL=postgresql://app@postgres/app"}},
		NetworkSettings: &container.NetworkSettings{},
	}}
}

func TestWhatIsHardPasses(t *testing.T) {
	r := Of("prod", hardEngine, []Subject{hard()}, nil)
	for _, f := range r.Findings {
		if f.Result != Pass {
			t.Errorf("%+v", f)
		}
	}
	if len(r.Findings) != len(rules) || r.Failed() || r.Untold() {
		t.Errorf("%d findings, %v, %v", len(r.Findings), r.Failed(), r.Untold())
	}
}

// Each rule fails for one container that is weak in its way alone.
func TestEachRuleFailsForWhatIsWeak(t *testing.T) {
	unlimited := int64(-1)
	weak := map[string][]func(*Subject){
		"4.1":  {func(s *Subject) { s.Config.User = "" }, func(s *Subject) { s.Config.User = "0:10001" }, func(s *Subject) { s.Config.User = "root" }},
		"4.6":  {func(s *Subject) { s.Config.Healthcheck = nil }, func(s *Subject) { s.Config.Healthcheck.Test = nil }},
		"4.10": {func(s *Subject) { s.Config.Env = append(s.Config.Env, "ADMIN_PASSWORD=hunter") }, func(s *Subject) { s.Config.Env = append(s.Config.Env, "BROKER=redis://:hunter@valkey/0") }, func(s *Subject) { s.Config.Env = append(s.Config.Env, "JWT_SECRET_KEY=abc") }},
		"5.1":  {func(s *Subject) { s.AppArmorProfile = "unconfined" }},
		"5.4":  {func(s *Subject) { s.HostConfig.CapDrop = nil }, func(s *Subject) { s.HostConfig.CapAdd = []string{"CAP_NET_ADMIN"} }},
		"5.5":  {func(s *Subject) { s.HostConfig.Privileged = true }},
		"5.6":  {func(s *Subject) { s.Mounts = binds("/etc", "/host/etc") }, func(s *Subject) { s.Mounts = append(binds("/code", "/app"), binds("/", "/host")...) }},
		"5.10": {func(s *Subject) { s.HostConfig.NetworkMode = "host" }, func(s *Subject) { s.HostConfig.PidMode = "host" }, func(s *Subject) { s.HostConfig.IpcMode = "host" }, func(s *Subject) { s.HostConfig.UTSMode = "host" }, func(s *Subject) { s.HostConfig.UsernsMode = "host" }},
		"5.11": {func(s *Subject) { s.HostConfig.Memory = 0 }},
		"5.12": {func(s *Subject) { s.HostConfig.NanoCPUs = 0 }},
		"5.13": {func(s *Subject) { s.HostConfig.ReadonlyRootfs = false }},
		"5.14": {func(s *Subject) {
			s.NetworkSettings.Ports = nat.PortMap{"8000/tcp": {{HostIP: "0.0.0.0", HostPort: "8000"}}}
		}},
		"5.22": {func(s *Subject) { s.HostConfig.SecurityOpt = append(s.HostConfig.SecurityOpt, "seccomp=unconfined") }},
		"5.26": {func(s *Subject) { s.HostConfig.SecurityOpt = nil }, func(s *Subject) { s.HostConfig.SecurityOpt = []string{"no-new-privileges:false"} }},
		"5.29": {func(s *Subject) { s.HostConfig.PidsLimit = nil }, func(s *Subject) { s.HostConfig.PidsLimit = &unlimited }},
		"5.32": {func(s *Subject) { s.Mounts = binds("/run/docker.sock", "/var/run/docker.sock") }},
	}
	for _, rule := range rules {
		if rule.number == "5.15" || rule.number == "5.28" { // an exception for everybody
			continue
		}
		if len(weak[rule.number]) == 0 {
			t.Errorf("%s has no container that is weak", rule.number)
		}
		for i, change := range weak[rule.number] {
			s := hard()
			change(&s)
			if failed := failures(Of("prod", hardEngine, []Subject{s}, nil)); !slices.Equal(failed, []string{rule.number}) {
				t.Errorf("%s, %d: fails %v", rule.number, i, failed)
			}
		}
	}
	s := hard()
	if failed := failures(Of("prod", system.Info{PidsLimit: true}, []Subject{s}, nil)); !slices.Equal(failed, []string{"5.22"}) {
		t.Errorf("an engine without seccomp: %v", failed)
	}
}

func binds(source, target string) []container.MountPoint {
	return []container.MountPoint{{Type: mount.TypeBind, Source: source, Destination: target}}
}

func failures(r Report) (numbers []string) {
	for _, f := range r.Findings {
		if f.Result == Fail {
			numbers = append(numbers, f.Number)
		}
	}
	return numbers
}

// What is an exception for one is none for another.
func TestAnExceptionIsForWhomItIsNamed(t *testing.T) {
	for _, c := range []struct {
		why     string
		change  func(*Subject)
		excused func(*Subject)
		number  string
	}{
		{"root", func(s *Subject) { s.Config.User = "0" }, func(s *Subject) { s.Workload, s.Job = "own-volumes-worker", true }, "4.1"},
		{"root that runs for ever", func(s *Subject) { s.Config.User = "0" }, func(s *Subject) { s.Workload = "cadvisor" }, "4.1"},
		{"no check", func(s *Subject) { s.Config.Healthcheck = nil }, func(s *Subject) { s.Config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}} }, "4.6"},
		{"its code", func(s *Subject) { s.Mounts = binds("/code", "/src") }, func(s *Subject) { s.Config.WorkingDir = "/src" }, "5.6"},
		{"the socket", func(s *Subject) { s.Mounts = binds("/run/docker.sock", "/run/docker.sock") }, func(s *Subject) { s.Workload = "cadvisor" }, "5.32"},
		{"a task's privileges", func(s *Subject) { s.HostConfig.SecurityOpt = nil }, func(s *Subject) { s.Task = true }, "5.26"},
		{"a task's processes", func(s *Subject) { s.HostConfig.PidsLimit = nil }, func(s *Subject) { s.Task = true }, "5.29"},
		{"a job's root", func(s *Subject) { s.HostConfig.ReadonlyRootfs = false }, func(s *Subject) { s.Job = true }, "5.13"},
	} {
		s := hard()
		c.change(&s)
		if r := Of("prod", hardEngine, []Subject{s}, nil); !slices.Equal(failures(r), []string{c.number}) {
			t.Errorf("%s: fails %v", c.why, failures(r))
		}
		c.excused(&s)
		r := Of("prod", hardEngine, []Subject{s}, nil)
		if r.Failed() || !slices.ContainsFunc(r.Findings, func(f Finding) bool {
			return f.Number == c.number && f.Result == Exception && f.Why != "" && f.Found != ""
		}) {
			t.Errorf("%s: %+v", c.why, r.Findings)
		}
	}
	s := hard()
	s.HostConfig.SecurityOpt, s.Task = nil, true
	wide := hardEngine
	wide.SecurityOptions = append(slices.Clone(wide.SecurityOptions), "name=no-new-privileges")
	for _, f := range Of("prod", wide, []Subject{s}, nil).Findings {
		if f.Number == "5.26" && f.Result != Pass {
			t.Errorf("the engine's default counts: %+v", f)
		}
	}
}

func TestWhatCouldNotBeAskedDoesNotPass(t *testing.T) {
	if r := Of("prod", hardEngine, nil, nil); !r.Untold() {
		t.Error("no container, and nothing is untold")
	}
	r := Of("prod", hardEngine, []Subject{hard()}, []string{"backend.2 on node-2"})
	if !r.Untold() || r.Failed() {
		t.Errorf("%+v", r.Findings)
	}
	var text strings.Builder
	if err := r.Write(&text); err != nil || !strings.Contains(text.String(), "? backend.2 on node-2 runs on another node") || strings.Contains(text.String(), "nothing fails") {
		t.Errorf("%v: %s", err, text.String())
	}
}

func TestTheTextNamesFailuresAndReasons(t *testing.T) {
	weak, odd := hard(), hard()
	weak.HostConfig.Privileged = true
	odd.Title, odd.HostConfig.ReadonlyRootfs, odd.Job = "migrate", false, true
	var text strings.Builder
	if err := Of("prod", hardEngine, []Subject{weak, odd}, nil).Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"! 5.5 backend-1: not privileged: privileged\n", "· 5.13 migrate: gets its files", "5.13  a read-only root"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "nothing fails") {
		t.Error("it says that nothing fails")
	}
}
