package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// plan is what a stack is to be: its resources by their URNs, and what the preview said.
type plan struct {
	resources map[string]resource
	errors    []string
}

// resource is one of a state, or one that is planned.
type resource struct {
	URN, Type            string
	Custom               bool
	Inputs               map[string]any
	PropertyDependencies map[string][]string
	// StopFirst is true where the old one is taken away before the new one is made.
	StopFirst bool
}

// planned is a resource in the file that `pulumi preview --save-plan` writes: with what is secret,
// which --json hides.
type planned struct {
	Goal struct {
		InputDiff struct {
			Adds, Updates map[string]any
		}
		DeleteBeforeReplace bool
	}
}

// unknown is what Pulumi says in place of a value that is known once the update has run.
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

// blinded is what --json says in place of a secret.
const blinded = "[secret]"

func (r resource) name() string { return r.URN[strings.LastIndex(r.URN, "::")+2:] }

// kind is the type as people say it: container.
func (r resource) kind() string {
	kind := r.Type[strings.LastIndex(r.Type, ":")+1:]
	return strings.ToLower(kind[:1]) + kind[1:]
}

// planOf reads what `pulumi preview --json --save-plan` has printed and saved about a stack of this
// state: resources that stay are those of the state.
func planOf(state, preview, saved []byte) (plan, error) {
	var before struct {
		Deployment struct{ Resources []resource }
	}
	if err := json.Unmarshal(state, &before); err != nil {
		return plan{}, fmt.Errorf("the state: %w", err)
	}
	var after struct {
		Steps []struct {
			Op, URN  string
			NewState *resource
		}
		Diagnostics []struct{ Message, Severity string }
	}
	if err := json.Unmarshal(preview, &after); err != nil {
		return plan{}, fmt.Errorf("pulumi preview --json: %w", err)
	}
	var goals struct{ ResourcePlans map[string]planned }
	if len(saved) > 0 { // a preview that fails saves nothing
		if err := json.Unmarshal(saved, &goals); err != nil {
			return plan{}, fmt.Errorf("pulumi preview --save-plan: %w", err)
		}
	}
	p := plan{resources: map[string]resource{}}
	for _, r := range before.Deployment.Resources {
		r.Inputs, _ = opened(r.Inputs).(map[string]any)
		p.resources[r.URN] = r
	}
	for _, s := range after.Steps {
		switch {
		case s.Op == "delete":
			delete(p.resources, s.URN)
		case s.NewState != nil:
			r, goal := *s.NewState, goals.ResourcePlans[s.URN].Goal
			r.StopFirst = goal.DeleteBeforeReplace
			for property, value := range r.Inputs {
				if hidden, there := goal.InputDiff.Updates[property]; there && has(value, blinded) {
					r.Inputs[property] = opened(hidden)
				} else if hidden, there := goal.InputDiff.Adds[property]; there && has(value, blinded) {
					r.Inputs[property] = opened(hidden)
				} else if before, there := p.resources[s.URN]; there && has(value, blinded) {
					r.Inputs[property] = before.Inputs[property]
				}
			}
			p.resources[s.URN] = r
		}
	}
	p.plain()
	for _, d := range after.Diagnostics {
		if d.Severity == "error" {
			p.errors = append(p.errors, strings.TrimSpace(d.Message))
		}
	}
	return p, nil
}

// change is what becomes of a resource.
type change struct {
	resource
	before *resource // nil: it is new
	gone   bool
	// fields are those that differ, by their paths.
	fields []field
}

type field struct {
	path          string
	before, after any // nil: not there
}

// changes are what differs between two plans that were made of one state, in one place. Both have
// the same stand-ins for secrets, so what differs is what somebody has changed. A value that is not
// known is another one where it is made of a resource that is.
func changes(from, to plan) []change {
	found := map[string]*change{}
	for urn, r := range to.resources {
		before, there := from.resources[urn]
		if !r.Custom || strings.HasPrefix(r.Type, "pulumi:") {
			continue
		}
		if !there {
			found[urn] = &change{resource: r}
		} else if fields := differences("", before.Inputs, r.Inputs); len(fields) > 0 {
			found[urn] = &change{resource: r, before: &before, fields: fields}
		}
	}
	for urn, r := range from.resources {
		if _, there := to.resources[urn]; !there && r.Custom && !strings.HasPrefix(r.Type, "pulumi:") {
			found[urn] = &change{resource: r, before: &r, gone: true}
		}
	}
	for more := true; more; {
		more = false
		for _, urn := range slices.Sorted(maps.Keys(to.resources)) {
			r := to.resources[urn]
			before, there := from.resources[urn]
			if _, known := found[urn]; known || !there || !r.Custom {
				continue
			}
			for _, property := range slices.Sorted(maps.Keys(r.PropertyDependencies)) {
				of := slices.IndexFunc(r.PropertyDependencies[property], func(on string) bool { c := found[on]; return c != nil })
				if of < 0 || !has(r.Inputs[property], unknown) {
					continue
				}
				on := found[r.PropertyDependencies[property][of]]
				found[urn] = &change{resource: r, before: &before, fields: []field{{property, nil, "of " + on.name() + ", which changes"}}}
				more = true
				break
			}
		}
	}
	all := make([]change, 0, len(found))
	for _, urn := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[urn])
	}
	return all
}

// has is true where a value has a text with this in it.
func has(value any, text string) bool {
	switch value := value.(type) {
	case string:
		return strings.Contains(value, text)
	case []any:
		return slices.ContainsFunc(value, func(v any) bool { return has(v, text) })
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(value)), func(v any) bool { return has(v, text) })
	}
	return false
}

// differences are the paths at which two values differ.
func differences(path string, before, after any) (all []field) {
	if reflect.DeepEqual(before, after) {
		return nil
	}
	a, isA := before.(map[string]any)
	b, isB := after.(map[string]any)
	if isA && isB {
		keys := maps.Clone(a)
		maps.Copy(keys, b)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if key != "__defaults" {
				all = append(all, differences(strings.TrimPrefix(path+"."+key, "."), a[key], b[key])...)
			}
		}
		return all
	}
	x, isX := before.([]any)
	y, isY := after.([]any)
	if isX && isY && len(x) == len(y) {
		for i := range x {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), x[i], y[i])...)
		}
		return all
	}
	return []field{{path, before, after}}
}
