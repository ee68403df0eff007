package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/process"
	"tarot-platform/internal/state"
)

// wrong are the checks that do not pass.
func wrong(r checks.Report) (all []checks.Check) {
	for _, c := range r.Checks {
		if c.Result != checks.Pass {
			all = append(all, c)
		}
	}
	return all
}

func TestNothingWasChanged(t *testing.T) {
	w := whole()
	r := w.of(t)
	if all := wrong(r); len(all) > 0 || len(r.Checks) != len(areas)+1 || r.Release != "r1" || w.looks != 1 {
		t.Errorf("%+v\n%+v\n%d looks", all, r, w.looks)
	}
}

func edit(w *world, change func(*container.InspectResponse)) {
	c := w.actual.Inspected["c1"]
	change(&c)
	w.actual.Inspected["c1"] = c
}

func serviceOf(w *world) *swarm.ServiceSpec { return &w.actual.Services[0].Spec }
func boxOf(w *world) *swarm.ContainerSpec   { return serviceOf(w).TaskTemplate.ContainerSpec }
func replaced(change func(*container.InspectResponse)) func(*world) {
	return func(w *world) {
		c := backend("new")
		change(&c)
		delete(w.actual.Inspected, "c1")
		w.actual.Inspected["new"] = c
		w.actual.Containers = append(w.actual.Containers[1:], container.Summary{ID: "new", Names: []string{"/tarot-prod-backend-1"}, State: "running", Labels: c.Config.Labels,
			Mounts: []container.MountPoint{{Name: "secrets", Destination: "/run/secrets"}}})
	}
}

func TestEachChangeIsFoundAndNoOther(t *testing.T) {
	stranger := func(s container.Summary) func(*world) {
		return func(w *world) {
			s.ID, s.Names, s.Image = "guest", []string{"/guest"}, "guest:1"
			if s.State == "" {
				s.State = "running"
			}
			w.actual.Containers = append(w.actual.Containers, s)
		}
	}
	for name, test := range map[string]struct {
		change            func(*world)
		kind, found, mend string
	}{
		"removed": {func(w *world) { delete(w.actual.Inspected, "c1"); w.actual.Containers = w.actual.Containers[1:] }, "container-removed", "it is not", "pulumi up --refresh -s prod"},
		"stopped": {func(w *world) {
			edit(w, func(c *container.InspectResponse) {
				c.State = &container.State{Status: "exited", ExitCode: 3, FinishedAt: "2026-11-28T01:02:03Z"}
			})
		}, "container-stopped", "exited, with exit code 3, since 2026-11-28 01:02:03", "docker start"},
		"paused": {func(w *world) {
			edit(w, func(c *container.InspectResponse) { c.State = &container.State{Running: true, Paused: true} })
		}, "container-stopped", "paused", "docker unpause"},
		"renamed":        {func(w *world) { edit(w, func(c *container.InspectResponse) { c.Name = "/x" }) }, "container-name", "called x", "docker rename x tarot-prod-backend-1"},
		"memory":         {func(w *world) { edit(w, func(c *container.InspectResponse) { c.HostConfig.Memory = 600 << 20 }) }, "container-memory", "600 MiB", "--refresh"},
		"swap":           {func(w *world) { edit(w, func(c *container.InspectResponse) { c.HostConfig.MemorySwap = -1 }) }, "container-memory", "as much as there is", "--refresh"},
		"cores":          {func(w *world) { edit(w, func(c *container.InspectResponse) { c.HostConfig.NanoCPUs = 2e9 }) }, "container-cpus", "it may use 2", "--refresh"},
		"restart policy": {func(w *world) { edit(w, func(c *container.InspectResponse) { c.HostConfig.RestartPolicy.Name = "no" }) }, "container-restart", "it is no", "--refresh"},
		"disconnected":   {func(w *world) { edit(w, func(c *container.InspectResponse) { clear(c.NetworkSettings.Networks) }) }, "container-disconnected", "not on it", "docker network connect --alias backend tarot-prod-backend tarot-prod-backend-1"},
		"connected": {func(w *world) {
			edit(w, func(c *container.InspectResponse) {
				c.NetworkSettings.Networks["bridge"] = &network.EndpointSettings{NetworkID: "bridge"}
			})
		}, "container-connected", "the network bridge", "docker network disconnect bridge tarot-prod-backend-1"},
		"another image": {replaced(func(c *container.InspectResponse) { c.Config.Image = "app:2" }), "container-replaced", "the image app:2, since 2026-11-28 01:02:03", "docker rm -f new"},
		"environment":   {replaced(func(c *container.InspectResponse) { c.Config.Env = []string{"A=2", "PATH=/bin", "KEY=hidden"} }), "container-replaced", "other variables: A, KEY", "docker rm -f new"},
		"label":         {replaced(func(c *container.InspectResponse) { c.Config.Labels = nil }), "container-replaced", "another label tarot.stack", "docker rm -f new"},
		"port":          {replaced(func(c *container.InspectResponse) { c.HostConfig.PortBindings = nil }), "container-replaced", "the ports ", "docker rm -f new"},
		"mounts":        {replaced(func(c *container.InspectResponse) { c.Mounts = nil }), "container-replaced", "the mounts ", "docker rm -f new"},
		"task's memory": {func(w *world) { w.actual.Inspected["t1"].HostConfig.Memory = 1 << 30 }, "container-memory", "1024 MiB", "docker rm -f t1"},
		"task's network": {func(w *world) {
			w.actual.Inspected["t1"].NetworkSettings.Networks["bridge"] = &network.EndpointSettings{NetworkID: "bridge"}
		}, "container-connected", "bridge", "docker rm -f t1"},
		"service removed":  {func(w *world) { w.actual.Services = nil }, "service-removed", "it is not", "--refresh"},
		"service replaced": {func(w *world) { w.actual.Services[0].ID = "s2" }, "service-replaced", "another one has its name", "docker service rm tarot-prod-web"},
		"scaled":           {func(w *world) { serviceOf(w).Mode.Replicated.Replicas = ref(uint64(3)) }, "service-replicas", "3 replicas, since 2026-11-28 01:02:03", "--refresh"},
		"mode":             {func(w *world) { serviceOf(w).Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}} }, "service-replicas", "another mode", "--refresh"},
		"service's image":  {func(w *world) { boxOf(w).Image = "app:2" }, "service-image", "app:2", "--refresh"},
		"service's env":    {func(w *world) { boxOf(w).Env = append(boxOf(w).Env, "KEY=hidden") }, "service-environment", "KEY", "--refresh"},
		"service's label":  {func(w *world) { serviceOf(w).Labels["who"] = "me" }, "service-labels", "new: who=me", "--refresh"},
		"tasks' label":     {func(w *world) { clear(boxOf(w).Labels) }, "service-labels", "gone: tarot.stack=tarot-prod", "--refresh"},
		"service's memory": {func(w *world) {
			w.actual.Services[0].UpdateStatus = &swarm.UpdateStatus{State: "updating"}
			serviceOf(w).TaskTemplate.Resources.Limits.MemoryBytes = 0
		}, "service-memory", "as much as there is", "--refresh"},
		"service's cores": {func(w *world) { serviceOf(w).TaskTemplate.Resources.Limits.NanoCPUs = 2e9 }, "service-cpus", "2 cores", "--refresh"},
		"reserved": {func(w *world) {
			serviceOf(w).TaskTemplate.Resources.Reservations = &swarm.Resources{MemoryBytes: 1 << 30}
		}, "service-reservation", "1024 MiB", "--refresh"},
		"command":           {func(w *world) { boxOf(w).Args = nil }, "service-command", "another one", "--refresh"},
		"user":              {func(w *world) { boxOf(w).User = "0" }, "service-user", "user 0", "--refresh"},
		"root":              {func(w *world) { boxOf(w).ReadOnly = false }, "service-root", "false", "--refresh"},
		"capability":        {func(w *world) { boxOf(w).CapabilityAdd = append(boxOf(w).CapabilityAdd, "CAP_SYS_ADMIN") }, "service-capabilities", "+SYS_ADMIN", "--refresh"},
		"groups":            {func(w *world) { boxOf(w).Groups = nil }, "service-groups", "gone: 5", "--refresh"},
		"hosts":             {func(w *world) { boxOf(w).Hosts = nil }, "service-hosts", "gone: 10.1.1.1 db", "--refresh"},
		"grace":             {func(w *world) { boxOf(w).StopGracePeriod = nil }, "service-stop", "within 0s", "--refresh"},
		"health":            {func(w *world) { boxOf(w).Healthcheck.Retries = 9 }, "service-health", "another one", "--refresh"},
		"service's mounts":  {func(w *world) { boxOf(w).Mounts[1].ReadOnly = true }, "service-mounts", "data:/data (read-only)", "--refresh"},
		"service's configs": {func(w *world) { boxOf(w).Configs[0].ConfigID = "another" }, "service-configs", "(anothe)", "--refresh"},
		"service's secrets": {func(w *world) { boxOf(w).Secrets = nil }, "service-secrets", "gone: tarot-prod-secret", "--refresh"},
		"service's network": {func(w *world) {
			serviceOf(w).TaskTemplate.Networks[0].Target, w.actual.Inspected["t1"].NetworkSettings.Networks["tarot-prod-backend"].NetworkID = "bridge", "bridge"
		}, "service-networks", "new: bridge as web", "--refresh"},
		"placement":         {func(w *world) { serviceOf(w).TaskTemplate.Placement = nil }, "service-placement", "gone: node.role", "--refresh"},
		"service's restart": {func(w *world) { serviceOf(w).TaskTemplate.RestartPolicy.Condition = "none" }, "service-restart", "none", "--refresh"},
		"logging":           {func(w *world) { serviceOf(w).TaskTemplate.LogDriver.Options = nil }, "service-logging", "gone: max-file=5", "--refresh"},
		"service's ports":   {func(w *world) { serviceOf(w).EndpointSpec.Ports[0].PublishedPort = 9 }, "service-ports", "new: 9→80/tcp", "--refresh"},
		"update":            {func(w *world) { serviceOf(w).UpdateConfig.Monitor = 0 }, "service-update", "watched for 0s", "--refresh"},
		"rolled back": {func(w *world) {
			w.actual.Services[0].UpdateStatus = &swarm.UpdateStatus{State: "rollback_completed"}
			boxOf(w).Image = "app:0"
		}, "service-image", "or somebody has", "--refresh"},
		"network": {func(w *world) {
			w.actual.Networks[0].ID = "net1-gone"
			w.actual.Networks[0].Name, w.actual.Networks[0].Labels = "x", nil
		}, "network-removed", "it is not", "--refresh"},
		"network replaced": {func(w *world) { w.actual.Networks[0].ID, w.actual.Networks[0].Labels = "net2", nil }, "network-replaced", "another one", "--refresh"},
		"network's kind":   {func(w *world) { w.actual.Networks[0].Internal = false }, "network-replaced", "internal: false", "--refresh"},
		"volume":           {func(w *world) { delete(w.actual.Volumes, "data") }, "volume-removed", "is gone", "make restore STACK=prod"},
		"driver":           {func(w *world) { w.actual.Volumes["data"].Driver = "nfs" }, "volume-replaced", "driver nfs", "docker volume inspect data"},
		"record":           {func(w *world) { w.actual.Volumes["record"].Labels["tarot.release"] = "r2" }, "volume-replaced", "other labels", "docker volume inspect record"},
		"image removed":    {func(w *world) { delete(w.actual.Images, "app:1") }, "image-removed", "it is not", "pulumi up -s prod"},
		"tag":              {func(w *world) { w.actual.Images["app:1"] = engine.Image{ID: "sha256:bbb"} }, "image-moved", "sha256:bbb", "docker tag sha256:aaa app:1"},
		"config":           {func(w *world) { clear(w.actual.Configs) }, "config-removed", "it is not", "--refresh"},
		"config replaced":  {func(w *world) { w.actual.Configs = map[string]swarm.Config{"conf2": w.actual.Configs["conf1"]} }, "config-replaced", "another one", "--refresh"},
		"config's text": {func(w *world) {
			c := w.actual.Configs["conf1"]
			c.Spec.Data = []byte("x")
			w.actual.Configs["conf1"] = c
		}, "config-replaced", "something else", "--refresh"},
		"secret":           {func(w *world) { clear(w.actual.Secrets) }, "secret-removed", "it is not", "--refresh"},
		"secret replaced":  {func(w *world) { w.actual.Secrets = map[string]swarm.Secret{"sec2": w.actual.Secrets["sec1"]} }, "secret-replaced", "another one", "--refresh"},
		"file":             {func(w *world) { w.sums["c2"]["password"] = engine.File{Sum: "x", Changed: now} }, "files-changed", "password holds something else, since 2026-11-28 01:02:03", "randomId:RandomId::backend-files"},
		"file gone":        {func(w *world) { delete(w.sums["c2"], "password") }, "files-changed", "password is gone", "--replace"},
		"nginx":            {func(w *world) { w.sums["c3"]["abc/nginx.conf"] = engine.File{Sum: "x"} }, "nginx-configuration", "nginx.conf holds something else", "SECRET=edgeToken"},
		"nginx's include":  {func(w *world) { w.sums["c3"]["abc/x.conf"] = engine.File{Sum: "x"} }, "nginx-configuration", "x.conf is new", "SECRET=edgeToken"},
		"nginx's current":  {func(w *world) { w.sums["c3"]["current"] = engine.File{Link: "earlier"} }, "nginx-configuration", "key is gone, nginx.conf holds something else", "SECRET=edgeToken"},
		"stranger":         {stranger(container.Summary{NetworkSettings: on("net1")}), "stranger-container", "of the image guest:1", "docker network disconnect --force the-net1 guest"},
		"stopped stranger": {stranger(container.Summary{State: "exited", NetworkSettings: on("net1")}), "stranger-container", "exited on it", "docker network disconnect"},
		"another stack's":  {stranger(container.Summary{Labels: map[string]string{"tarot.stack": "another"}, NetworkSettings: on("net1")}), "stranger-container", "on it", "docker network disconnect"},
		"in its name":      {stranger(container.Summary{Labels: map[string]string{"tarot.stack": prefix}}), "stranger-container", "not in the stack's state", "docker rm -f guest"},
		"stranger's net": {func(w *world) {
			w.actual.Networks = append(w.actual.Networks, network.Summary{ID: "x", Name: "x", Labels: map[string]string{"tarot.stack": prefix}})
		}, "stranger-network", "not in the stack's state", "docker network rm x"},
		"stranger service": {func(w *world) {
			w.actual.Services = append(w.actual.Services, swarm.Service{ID: "x", Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "x"}, TaskTemplate: swarm.TaskSpec{Networks: []swarm.NetworkAttachmentConfig{{Target: "net1"}}}}})
		}, "stranger-service", "it is on it", "docker service rm x"},
		"service, its name": {func(w *world) {
			w.actual.Services = append(w.actual.Services, swarm.Service{ID: "x", Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "x", Labels: map[string]string{"tarot.stack": prefix}}}})
		}, "stranger-service", "not in the stack's state", "docker service rm x"},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole()
			test.change(w)
			all := wrong(w.of(t))
			if len(all) != 1 || all[0].ID != test.kind || all[0].Result != checks.Fail || !strings.Contains(all[0].Found, test.found) || !strings.Contains(all[0].Mend, test.mend) {
				t.Errorf("%+v", all)
			}
			if strings.Contains(fmt.Sprintf("%+v", all), "hidden") {
				t.Error("a secret is told")
			}
		})
	}
}

// What the platform itself does, and what passes, is none.
func TestWhatIsNoDrift(t *testing.T) {
	for name, change := range map[string]func(*world){
		"a crash": func(w *world) {
			edit(w, func(c *container.InspectResponse) { c.State = &container.State{Restarting: true, Status: "restarting"} })
		},
		"a job's is pruned": func(w *world) { w.actual.Containers = slices.Delete(w.actual.Containers, 2, 3); w.sums["c3"] = nil },
		"files' is pruned": func(w *world) {
			w.actual.Containers = slices.Delete(w.actual.Containers, 1, 2)
			w.sums["c1"] = w.sums["c2"]
		},
		"about to be removed": func(w *world) {
			w.resources = append(w.resources, state.Resource{Type: "docker:index/container:Container", ID: "old", Delete: true})
			w.actual.Containers = append(w.actual.Containers, container.Summary{ID: "old", Names: []string{"/old"}, State: "running", Labels: map[string]string{"tarot.stack": prefix}})
		},
		"never started": func(w *world) {
			w.actual.Containers = append(w.actual.Containers, container.Summary{ID: "f", Names: []string{"/f"}, State: "created", Labels: map[string]string{"tarot.stack": prefix}})
		},
		"another volume's label": func(w *world) { w.actual.Volumes["data"].Labels = map[string]string{"com.docker.compose": "x"} },
		"a service is forced":    func(w *world) { serviceOf(w).TaskTemplate.ForceUpdate++ },
		"no means to limit": func(w *world) {
			w.actual.Can = system.Info{}
			edit(w, func(c *container.InspectResponse) {
				c.HostConfig.Memory, c.HostConfig.MemorySwap, c.HostConfig.NanoCPUs = 0, -1, 0
			})
			w.actual.Inspected["t1"].HostConfig.Memory = 0
		},
		"the image has a file there": func(w *world) { w.sums["c2"]["x"] = engine.File{} },
		"a look later":               func(w *world) { w.looked = func(n int) { w.actual.Inspected["c1"].State.Paused = n == 1 } },
		"where stacks meet": func(w *world) {
			w.actual.Networks = append(w.actual.Networks, network.Summary{ID: "meet", Name: "tarot-prod-sites", Labels: map[string]string{"tarot.stack": prefix}})
			w.resources = append(w.resources, state.Resource{Type: "other", ID: "meet"})
			w.actual.Containers = append(w.actual.Containers, container.Summary{ID: "o", Names: []string{"/o"}, State: "running", Labels: map[string]string{"tarot.stack": "another"},
				NetworkSettings: &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{"tarot-prod-sites": {NetworkID: "meet"}}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole()
			change(w)
			if all := wrong(w.of(t)); len(all) > 0 {
				t.Errorf("%+v", all)
			}
		})
	}
}

func TestTheMaintenancePageIsToldAndNoDrift(t *testing.T) {
	w := whole()
	w.shown = &engine.Held{Who: "ann@host", Since: now}
	all := wrong(w.of(t))
	if len(all) != 1 || all[0].ID != "maintenance" || all[0].Result != checks.Warn || !strings.Contains(all[0].Found, "ann@host") {
		t.Errorf("%+v", all)
	}
}

// While somebody changes the stack, nothing can be told; not even where that ends meanwhile.
func TestWhileAnUpIsAtWork(t *testing.T) {
	busy := &engine.Held{Run: "r", Who: "ann@host", Since: now, Operation: engine.Up, Process: process.Self()}
	untold := func(t *testing.T, r checks.Report) {
		t.Helper()
		if len(r.Checks) != 1 || r.Checks[0].ID != "turn" || r.Checks[0].Result != checks.Unknown || r.Checks[0].Mend == "" {
			t.Errorf("%+v", r.Checks)
		}
	}
	t.Run("from the beginning", func(t *testing.T) {
		w := whole()
		w.held = busy
		untold(t, w.of(t))
		if w.looks > 0 {
			t.Error("it was looked at all the same")
		}
	})
	t.Run("begun meanwhile", func(t *testing.T) {
		w := whole()
		w.looked = func(int) { w.held = busy }
		untold(t, w.of(t))
	})
	t.Run("begun and ended meanwhile", func(t *testing.T) {
		w := whole()
		w.looked = func(int) {
			w.history = append(w.history, history.Entry{Operation: "rollback", Result: history.Succeeded})
		}
		untold(t, w.of(t))
	})
	t.Run("a restore that is to be finished", func(t *testing.T) {
		w := whole()
		w.held = &engine.Held{Run: "r", Who: "ann@host", Since: now, Operation: engine.Restore}
		r := w.of(t)
		untold(t, r)
		if !strings.Contains(r.Checks[0].Mend, "CONTINUE=yes") {
			t.Errorf("%+v", r.Checks)
		}
	})
}

// What an `up` that has failed leaves by itself can't be told from what somebody did. All else can.
func TestAfterAnUpThatHasFailed(t *testing.T) {
	w := whole()
	w.history = append(w.history, history.Entry{Operation: "up", Result: history.Failed, Why: "the migration", At: now})
	if all := wrong(w.of(t)); len(all) != 1 || all[0].ID != "last-up" || all[0].Result != checks.Warn || all[0].Cause != "the migration" {
		t.Errorf("nothing differs: %+v", all)
	}
	edit(w, func(c *container.InspectResponse) { c.State = &container.State{Status: "exited"} })
	w.actual.Services[0].UpdateStatus = &swarm.UpdateStatus{State: "rollback_completed"}
	boxOf(w).Image = "app:0"
	r := w.of(t)
	if !r.Has(checks.Unknown) || r.Has(checks.Fail) || len(wrong(r)) != 3 {
		t.Errorf("%+v", wrong(r))
	}
	w.actual.Inspected["c1"].HostConfig.Memory = 1
	if r = w.of(t); !r.Has(checks.Fail) {
		t.Errorf("%+v", wrong(r))
	}
}

func TestWhatCanNotBeReadIsNoAnswer(t *testing.T) {
	for name, change := range map[string]func(*world){
		"the state": func(w *world) { w.stateErr = errors.New("passphrase") },
		"a form":    func(w *world) { w.resources[1].Inputs["name"] = 17.0 },
		"the engine": func(w *world) {
			w.resources = slices.DeleteFunc(w.resources, func(r state.Resource) bool { return r.Name() == "image" })
		},
		"a file": func(w *world) { w.sums["c2"] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := whole()
			change(w)
			_, err := Of(t.Context(), Stack{Name: "prod", Prefix: prefix, State: func(context.Context) ([]state.Resource, error) { return w.resources, w.stateErr },
				Installed: Installed{Job: "nginx-configuration", Folder: "/run/nginx"}}, w)
			if err == nil {
				t.Error("it is taken for an answer")
			}
		})
	}
}
