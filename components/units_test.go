package components

import (
	"fmt"
	"slices"
)

// unit is a container or a service, seen the same way.
type unit struct {
	registration
	name     string
	user     any
	readOnly any
	drops    []any
	memory   float64 // in bytes
	mounts   []any
	networks []any
	ports    []string
	logging  map[string]any // driver, options
	labels   map[any]any
	runs     bool // other than the containers that only hold files
}

// units returns everything of a run that holds a process.
func (r *run) units() []unit {
	var all []unit
	for _, x := range r.find("Container") {
		memory, _ := x.at("memory").(float64)
		u := unit{registration: x, name: x.Name, user: x.at("user"), readOnly: x.at("readOnly"), drops: x.list("capabilities", "drops"),
			memory: memory * (1 << 20), mounts: x.list("mounts"), networks: x.list("networksAdvanced"),
			logging: map[string]any{"driver": x.at("logDriver"), "options": x.at("logOpts")},
			labels:  labels(x.list("labels")), runs: x.at("start") != false}
		u.runs = u.runs || u.labels["tarot.workload"] != nil // a job, which its Await starts
		for _, p := range x.list("ports") {
			u.ports = append(u.ports, fmt.Sprintf("%v:%v->%v", at(p, "ip"), at(p, "external"), at(p, "internal")))
		}
		all = append(all, u)
	}
	for _, x := range r.find("Service") {
		spec := func(path ...any) any { return at(x.at("taskSpec", "containerSpec"), path...) }
		memory, _ := x.at("taskSpec", "resources", "limits", "memoryBytes").(float64)
		u := unit{registration: x, name: x.Name, user: spec("user"), readOnly: spec("readOnly"),
			drops:  x.list("taskSpec", "containerSpec", "capDrops"),
			memory: memory, mounts: x.list("taskSpec", "containerSpec", "mounts"), networks: x.list("taskSpec", "networksAdvanceds"),
			logging: map[string]any{"driver": x.at("taskSpec", "logDriver", "name"), "options": x.at("taskSpec", "logDriver", "options")},
			labels:  labels(x.list("taskSpec", "containerSpec", "labels")), runs: true}
		for _, p := range x.list("endpointSpec", "ports") {
			u.ports = append(u.ports, fmt.Sprintf("%v:%v->%v", at(p, "publishMode"), at(p, "publishedPort"), at(p, "targetPort")))
		}
		all = append(all, u)
	}
	return all
}

// once are the workloads that run to their end, and may be root for nobody but
// themselves: without capabilities.
var once = []any{"own-volumes", "check-sqlite", "publish-static", "migrate", "activate-static", "nginx-configuration", "monitoring-facts"}

func (u unit) task() bool { return slices.Contains(once, u.labels["tarot.workload"]) }

func labels(list []any) map[any]any {
	all := map[any]any{}
	for _, l := range list {
		all[at(l, "label")] = at(l, "value")
	}
	return all
}
