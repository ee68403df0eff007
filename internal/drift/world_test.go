package drift

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/history"
	"tarot-platform/internal/state"
)

const prefix = "tarot-prod"

// world is a stack whose engine has what its state says.
type world struct {
	resources []state.Resource
	stateErr  error
	actual    engine.Actual
	sums      map[string]map[string]engine.File // by container
	held      *engine.Held
	shown     *engine.Held
	history   []history.Entry
	// looked is called before each look.
	looked func(n int)
	looks  int
}

func (w *world) Operating(context.Context, string) (engine.Held, bool, error) {
	if w.held == nil {
		return engine.Held{}, false, nil
	}
	return *w.held, true, nil
}

func (w *world) Maintained(context.Context, string) (engine.Held, bool, error) {
	if w.shown == nil {
		return engine.Held{}, false, nil
	}
	return *w.shown, true, nil
}

func (w *world) Actual(_ context.Context, of string, asked engine.Asked) (engine.Actual, error) {
	w.looks++
	if w.looked != nil {
		w.looked(w.looks)
	}
	if of != prefix || !slices.Contains(asked.Images, "app:1") {
		return engine.Actual{}, fmt.Errorf("%s, %v were asked for", of, asked)
	}
	return w.actual, nil
}

func (w *world) Sums(_ context.Context, container, folder string, normal func(string, []byte) []byte) (map[string]engine.File, error) {
	if w.sums[container] == nil {
		return nil, errors.New(container + folder + " was read")
	}
	return w.sums[container], nil
}

func (w *world) WriteHistory(context.Context, string, string, json.RawMessage) error {
	return errors.New("nothing is to be written")
}

func (w *world) History(context.Context, string) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for i, e := range w.history {
		text, _ := json.Marshal(e)
		all[fmt.Sprintf("%04d", i)] = text
	}
	return all, nil
}

var now = time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)

// object is a resource's inputs as an exported state has them.
func object(text string) map[string]any {
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		panic(err)
	}
	return all
}

const stackLabel = `{"label": "tarot.stack", "value": "tarot-prod"}`

func ref[T any](v T) *T { return &v }

// whole is a stack of plain containers and of services at once.
func whole() *world {
	w := &world{history: []history.Entry{{Operation: "up", Result: history.Succeeded, At: now}, {Operation: "exec", Result: history.Failed, At: now}}}
	add := func(kind, name, id, inputs, outputs string) {
		w.resources = append(w.resources, state.Resource{URN: "urn:pulumi:prod::tarot::" + kind + "::" + name, Type: kind, ID: id, Inputs: object(inputs), Outputs: object(outputs)})
	}
	add("pulumi:pulumi:Stack", "tarot-prod", "", `{}`, `{"release": "r1"}`)
	add("docker:index/network:Network", "net", "net1", `{"name": "tarot-prod-backend", "driver": "bridge", "internal": true, "ipamConfigs": [{"subnet": "10.0.0.0/24"}]}`, `{}`)
	add("docker:index/volume:Volume", "data", "data", `{"name": "data"}`, `{"driver": "local"}`)
	add("docker:index/volume:Volume", "release", "record", `{"name": "record", "labels": [{"label": "tarot.release", "value": "r1"}]}`, `{"driver": "local"}`)
	add("docker:index/volume:Volume", "secrets", "secrets", `{"name": "secrets"}`, `{"driver": "local"}`)
	add("docker:index/volume:Volume", "conf", "conf", `{"name": "conf"}`, `{"driver": "local"}`)
	add("docker:index/remoteImage:RemoteImage", "image", "sha256:aaaapp:1", `{"name": "app:1"}`, `{"imageId": "sha256:aaa"}`)
	add("docker:index/container:Container", "backend-1", "c1", `{"name": "tarot-prod-backend-1", "image": "app:1", "restart": "always", "memory": 512, "memorySwap": 512, "cpus": "1.5", "user": "1:1",
		"readOnly": true, "envs": ["A=1"], "networkMode": "bridge", "networksAdvanced": [{"name": "net1", "aliases": ["backend"]}], "labels": [`+stackLabel+`],
		"mounts": [{"type": "volume", "source": "secrets", "target": "/run/secrets"}], "ports": [{"internal": 80, "external": 8080}]}`, `{}`)
	add("docker:index/container:Container", "backend-files", "c2", `{"name": "tarot-prod-backend-files", "image": "old:1", "start": false, "uploads": [{"file": "/run/secrets/password", "content": "hidden"}],
		"mounts": [{"type": "volume", "source": "secrets", "target": "/run/secrets"}]}`, `{}`)
	add("docker:index/container:Container", "nginx-configuration", "c3", `{"name": "tarot-prod-nginx-configuration", "image": "app:1", "start": false,
		"labels": [{"label": "tarot.attempt", "value": "0"}, {"label": "tarot.workload", "value": "nginx-configuration"}],
		"uploads": [{"file": "/run/config/nginx.conf", "content": "open;"}, {"file": "/run/secrets/key", "content": "hidden"}],
		"mounts": [{"type": "volume", "source": "conf", "target": "/run/nginx"}]}`, `{}`)
	add("docker:index/container:Container", "migrate", "gone", `{"name": "tarot-prod-migrate", "image": "app:1", "start": false, "labels": [{"label": "tarot.attempt", "value": "0"}]}`, `{}`)
	add("docker:index/serviceConfig:ServiceConfig", "conf", "conf1", `{"name": "tarot-prod-conf", "data": "`+base64.StdEncoding.EncodeToString([]byte("text"))+`"}`, `{}`)
	add("docker:index/secret:Secret", "secret", "sec1", `{"name": "tarot-prod-secret", "data": "aGlkZGVu"}`, `{}`)
	add("docker:index/service:Service", "web", "s1", `{"name": "tarot-prod-web", "labels": [`+stackLabel+`], "mode": {"replicated": {"replicas": 2}}, "endpointSpec": {"mode": "dnsrr", "ports": [{"targetPort": 80,
		"publishedPort": 8081, "publishMode": "host", "protocol": "tcp"}]}, "updateConfig": {"parallelism": 1, "order": "start-first", "failureAction": "rollback", "delay": "0s", "monitor": "1m"},
		"rollbackConfig": {"parallelism": 0, "order": "start-first", "failureAction": "pause", "delay": "0s", "monitor": "2s"},
		"taskSpec": {"containerSpec": {"image": "app:1", "user": "1:1", "readOnly": true, "stopGracePeriod": "40s", "commands": ["a"], "args": ["b"], "env": {"A": "1"}, "capDrops": ["ALL"], "capAdds": ["CAP_CHOWN"],
		"labels": [`+stackLabel+`], "healthcheck": {"tests": ["CMD", "x"], "interval": "2s", "timeout": "5m15s", "startPeriod": "1m", "retries": 3}, "hosts": [{"host": "db", "ip": "10.1.1.1"}], "groups": ["5"],
		"mounts": [{"type": "volume", "source": "data", "target": "/data"}, {"type": "tmpfs", "target": "/tmp", "readOnly": false}], "configs": [{"configId": "conf1", "configName": "tarot-prod-conf", "fileName": "/run/config/a"}],
		"secrets": [{"secretId": "sec1", "secretName": "tarot-prod-secret", "fileName": "/run/secrets/a"}]}, "resources": {"limits": {"memoryBytes": 536870912, "nanoCpus": 1000000000}},
		"restartPolicy": {"condition": "any", "delay": "2s", "window": "0s"}, "placement": {"constraints": ["node.role==manager"]}, "networksAdvanceds": [{"name": "net1", "aliases": ["web"]}],
		"logDriver": {"name": "json-file", "options": {"max-file": "5"}}}}`, `{}`)

	stack := map[string]string{"tarot.stack": prefix}
	w.actual = engine.Actual{
		Can: system.Info{MemoryLimit: true, SwapLimit: true, CPUCfsQuota: true},
		Networks: []network.Summary{{ID: "net1", Name: "tarot-prod-backend", Driver: "bridge", Internal: true, Labels: stack, IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.0.0.0/24"}}}},
			{ID: "bridge", Name: "bridge"}},
		Volumes: map[string]*volume.Volume{"data": {Driver: "local"}, "record": {Driver: "local", Labels: map[string]string{"tarot.release": "r1"}}, "secrets": {Driver: "local"}, "conf": {Driver: "local"}},
		Images:  map[string]engine.Image{"app:1": {ID: "sha256:aaa", Environment: []string{"PATH=/bin"}}},
		Configs: map[string]swarm.Config{"conf1": {Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: "tarot-prod-conf"}, Data: []byte("text")}}},
		Secrets: map[string]swarm.Secret{"sec1": {Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: "tarot-prod-secret"}}}},
		Services: []swarm.Service{{ID: "s1", Meta: swarm.Meta{UpdatedAt: now}, Spec: swarm.ServiceSpec{
			Annotations: swarm.Annotations{Name: "tarot-prod-web", Labels: maps.Clone(stack)}, Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: ref(uint64(2))}},
			EndpointSpec:   &swarm.EndpointSpec{Mode: "dnsrr", Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 8081, PublishMode: "host", Protocol: "tcp"}}},
			UpdateConfig:   &swarm.UpdateConfig{Parallelism: 1, Order: "start-first", FailureAction: "rollback", Monitor: time.Minute},
			RollbackConfig: &swarm.UpdateConfig{Order: "start-first", FailureAction: "pause", Monitor: 2 * time.Second},
			TaskTemplate: swarm.TaskSpec{ForceUpdate: 7, ContainerSpec: &swarm.ContainerSpec{Image: "app:1@sha256:123", User: "1:1", ReadOnly: true, StopGracePeriod: ref(40 * time.Second), Command: []string{"a"}, Args: []string{"b"},
				Env: []string{"A=1"}, CapabilityDrop: []string{"ALL"}, CapabilityAdd: []string{"CAP_CHOWN"}, Labels: maps.Clone(stack), Hosts: []string{"10.1.1.1 db"}, Groups: []string{"5"},
				Healthcheck: &container.HealthConfig{Test: []string{"CMD", "x"}, Interval: 2 * time.Second, Timeout: 315 * time.Second, StartPeriod: time.Minute, Retries: 3},
				Mounts:      []mount.Mount{{Type: "tmpfs", Target: "/tmp"}, {Type: "volume", Source: "data", Target: "/data"}},
				Configs:     []*swarm.ConfigReference{{ConfigID: "conf1", ConfigName: "tarot-prod-conf", File: &swarm.ConfigReferenceFileTarget{Name: "/run/config/a"}}},
				Secrets:     []*swarm.SecretReference{{SecretID: "sec1", SecretName: "tarot-prod-secret", File: &swarm.SecretReferenceFileTarget{Name: "/run/secrets/a"}}}},
				Resources:     &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 512 << 20, NanoCPUs: 1e9}},
				RestartPolicy: &swarm.RestartPolicy{Condition: "any"}, Placement: &swarm.Placement{Constraints: []string{"node.role==manager"}},
				Networks: []swarm.NetworkAttachmentConfig{{Target: "net1", Aliases: []string{"web"}}}, LogDriver: &swarm.Driver{Name: "json-file", Options: map[string]string{"max-file": "5"}}},
		}}},
		Inspected: map[string]container.InspectResponse{"c1": backend("c1"), "t1": task()},
		Containers: []container.Summary{
			{ID: "c1", Names: []string{"/tarot-prod-backend-1"}, State: "running", Labels: stack, Mounts: []container.MountPoint{{Name: "secrets", Destination: "/run/secrets"}}},
			{ID: "c2", Names: []string{"/tarot-prod-backend-files"}, State: "created", Labels: stack, Mounts: []container.MountPoint{{Name: "secrets", Destination: "/run/secrets"}}},
			{ID: "c3", Names: []string{"/tarot-prod-nginx-configuration"}, State: "exited", Labels: stack, Mounts: []container.MountPoint{{Name: "conf", Destination: "/run/nginx"}}},
			// What comes and goes.
			{ID: "x1", Names: []string{"/tarot-prod-run"}, State: "running", Labels: map[string]string{"tarot.oneoff": prefix}, NetworkSettings: on("net1")},
			{ID: "x2", Names: []string{"/tarot-prod-once"}, State: "running", Labels: map[string]string{"tarot.stack": prefix, "tarot.once": "room"}},
			{ID: "x3", Names: []string{"/tarot-prod-job"}, State: "running", Labels: map[string]string{"tarot.stack": prefix, "tarot.attempt": "2"}},
			{ID: "x4", Names: []string{"/task"}, State: "running", Labels: map[string]string{"tarot.stack": prefix, "com.docker.swarm.task.id": "t"}},
			{ID: "x5", Names: []string{"/other"}, State: "running", Labels: map[string]string{"tarot.stack": "another"}, NetworkSettings: on("elsewhere")},
		},
	}
	w.sums = map[string]map[string]engine.File{
		"c2": {"password": {Sum: engine.Sum([]byte("hidden"))}},
		"c3": {"current": {Link: "abc"}, "abc/nginx.conf": {Sum: engine.Sum([]byte("open;"))}, "abc/key": {Sum: engine.Sum([]byte("hidden"))}, "abc/own.conf": {Sum: "x"}, "earlier/nginx.conf": {Sum: "y"}},
	}
	return w
}

func on(id string) *container.NetworkSettingsSummary {
	return &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{"the-" + id: {NetworkID: id}}}
}

func backend(id string) container.InspectResponse {
	return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: id, Name: "/tarot-prod-backend-1", Created: "2026-11-28T01:02:03Z", State: &container.State{Running: true, Status: "running"},
		HostConfig: &container.HostConfig{ReadonlyRootfs: true, RestartPolicy: container.RestartPolicy{Name: "always"}, Resources: container.Resources{Memory: 512 << 20, MemorySwap: 512 << 20, NanoCPUs: 15e8},
			PortBindings: nat.PortMap{"80/tcp": {{HostPort: "8080"}}}}},
		Config:          &container.Config{Image: "app:1", User: "1:1", Env: []string{"A=1", "PATH=/bin"}, Labels: map[string]string{"tarot.stack": prefix}},
		Mounts:          []container.MountPoint{{Name: "secrets", Destination: "/run/secrets"}},
		NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{"tarot-prod-backend": {NetworkID: "net1"}}}}
}

func task() container.InspectResponse {
	c := backend("t1")
	c.Name, c.Config.Labels = "/tarot-prod-web.1.x", map[string]string{"com.docker.swarm.task.id": "t", "com.docker.swarm.service.id": "s1"}
	return c
}

func (w *world) of(t *testing.T) checks.Report {
	t.Helper()
	var r checks.Report
	synctest.Test(t, func(t *testing.T) {
		var err error
		r, err = Of(t.Context(), Stack{Name: "prod", Prefix: prefix, Again: 3 * time.Second,
			State:     func(context.Context) ([]state.Resource, error) { return w.resources, w.stateErr },
			Installed: Installed{Job: "nginx-configuration", Folder: "/run/nginx", Own: []string{"own.conf"}, Opened: func(c []byte) []byte { return []byte(strings.ReplaceAll(string(c), "closed", "open")) }}}, w)
		if err != nil {
			t.Error(err)
		}
	})
	return r
}
