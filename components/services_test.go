package components

import (
	"maps"
	"reflect"
	"testing"

	"tarot-platform/internal/config"
)

func TestServicesLoadTheirEnvironmentFromAFile(t *testing.T) {
	inProject(t)
	command := func(c *config.Config) {
		c.Backend.Command = []string{"uvicorn", "app:app"}
		c.Backend.Environment = map[string]string{"GREETING": "it's $HOME"}
	}
	const load = `. /run/config/environment && exec "$@"`
	for name, test := range map[string]struct {
		change func(*config.Config)
		args   []any
	}{
		"the image's own": {func(*config.Config) {}, []any{"/start", "it"}},
		"a command":       {command, []any{"uvicorn", "app:app"}},
	} {
		r := succeed(t, stack(t, "prod", test.change), up)
		spec := r.get(t, "Service", "tarot-test-backend").at("taskSpec", "containerSpec")
		if env, _ := at(spec, "env").(map[string]any); len(env) > 1 {
			t.Errorf("%s: env %v restarts every task at every change", name, at(spec, "env"))
		}
		if got := at(spec, "commands"); !reflect.DeepEqual(got, []any{"/bin/sh", "-c", load, "backend"}) {
			t.Errorf("%s: commands %v", name, got)
		}
		if got := at(spec, "args"); !reflect.DeepEqual(got, test.args) {
			t.Errorf("%s: args %v", name, got)
		}
		if got := at(spec, "configs", 0, "fileName"); got != "/run/config/environment" {
			t.Errorf("%s: the file is %v", name, got)
		}
		nginx := r.get(t, "Service", "tarot-test-nginx").at("taskSpec", "containerSpec")
		if at(nginx, "env") != nil || at(nginx, "args") != nil || at(nginx, "commands", 2) != serviceOf(t, stack(t, "prod", test.change), "nginx").Command[2] {
			t.Errorf("nginx: env %v, commands %v, args %v", at(nginx, "env"), at(nginx, "commands"), at(nginx, "args"))
		}
	}
	unseen := succeed(t, stack(t, "prod"), preview).get(t, "Service", "tarot-test-backend").at("taskSpec", "containerSpec")
	if at(unseen, "args") != any(unknown{}) || at(unseen, "healthcheck", "tests") != any(unknown{}) {
		t.Errorf("of an image that does not exist yet: args %v, health check %v", at(unseen, "args"), at(unseen, "healthcheck", "tests"))
	}
}

func TestServicesStartFirstButForThoseWithPorts(t *testing.T) {
	inProject(t)
	for _, x := range succeed(t, stack(t, "prod"), up).find("Service") {
		want := map[string]string{"tarot-test-backend": "start-first", "tarot-test-backend-candidate": "start-first", "tarot-test-nginx": "stop-first"}[x.Name]
		action := map[bool]any{true: "pause", false: "rollback"}[x.Name == "tarot-test-backend-candidate"]
		if x.at("updateConfig", "order") != want || x.at("rollbackConfig", "order") != want {
			t.Errorf("%s: %v, %v, want %s", x.Name, x.at("updateConfig", "order"), x.at("rollbackConfig", "order"), want)
		}
		if x.at("updateConfig", "failureAction") != action || x.at("updateConfig", "parallelism") != 1.0 {
			t.Errorf("%s: %v", x.Name, x.at("updateConfig"))
		}
		if x.at("endpointSpec", "mode") != "dnsrr" {
			t.Errorf("%s: %v", x.Name, x.at("endpointSpec"))
		}
		if !x.RPC.GetDeleteBeforeReplace() {
			t.Errorf("%s: its name is not free when the next one is made", x.Name)
		}
		if x.at("convergeConfig") != nil {
			t.Errorf("%s is removed without its logs when it does not converge", x.Name)
		}
		if !reflect.DeepEqual(x.at("taskSpec", "placement", "constraints"), []any{"node.role==manager"}) {
			t.Errorf("%s runs at %v", x.Name, x.at("taskSpec", "placement"))
		}
	}
}

// What is verified has to be what users get: the same tasks, under another name.
func TestTheCanaryIsTheServiceButForItsName(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{force: 7})
	if r.err != nil {
		t.Fatal(r.err)
	}
	service, candidate := r.get(t, "Service", "tarot-test-backend"), r.get(t, "Service", "tarot-test-backend-candidate")
	if got := candidate.at("mode", "replicated", "replicas"); got != 0.0 {
		t.Errorf("it has %v tasks", got)
	}
	if got := candidate.at("updateConfig", "failureAction"); got != "pause" {
		t.Errorf("of a failure, it makes a %v", got)
	}
	tasks := func(x registration, name string) map[string]any {
		spec := maps.Clone(x.at("taskSpec").(map[string]any))
		for _, n := range spec["networksAdvanceds"].([]any) {
			if got := at(n, "aliases"); !reflect.DeepEqual(got, []any{name}) {
				t.Errorf("%s is found by %v", x.Name, got)
			}
			delete(n.(map[string]any), "aliases")
		}
		container := spec["containerSpec"].(map[string]any)
		if got := labels(container["labels"].([]any))["tarot.workload"]; got != name {
			t.Errorf("%s is labelled %v", x.Name, got)
		}
		delete(container, "labels")
		delete(spec, "forceUpdate")
		return spec
	}
	if one, other := tasks(service, "backend"), tasks(candidate, "candidate"); !reflect.DeepEqual(one, other) {
		t.Errorf("the service is\n%v\nand its candidate\n%v", one, other)
	}
}
