package preview

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const of = "urn:pulumi:prod::tarot::tarot:index:Platform$"

// stateOf is an exported state.
func stateOf(t *testing.T, resources ...map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"deployment": map[string]any{"resources": resources}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func item(kind, name string, inputs map[string]any, dependencies map[string][]string) map[string]any {
	return map[string]any{"urn": of + kind + "::" + name, "type": kind, "custom": true, "inputs": inputs, "propertyDependencies": dependencies}
}

func labels(workload string, more ...string) []any {
	all := []any{map[string]any{"label": "tarot.workload", "value": workload}}
	for _, name := range more {
		all = append(all, map[string]any{"label": name, "value": "0"})
	}
	return all
}

func service(workload, image string, replicas int, order string) map[string]any {
	return item(serviceType, workload, map[string]any{
		"mode":         map[string]any{"replicated": map[string]any{"replicas": replicas}},
		"updateConfig": map[string]any{"order": order},
		"taskSpec":     map[string]any{"containerSpec": map[string]any{"image": image, "labels": labels(workload)}},
	}, nil)
}

func job(workload, image, suffix string) map[string]any {
	return item(containerType, workload, map[string]any{"__defaults": []any{"name"}, "name": workload + "-" + suffix, "image": image, "labels": labels(workload, "tarot.attempt")}, nil)
}

func volume(name string) map[string]any {
	return item(volumeType, "storage-"+name, map[string]any{"name": name, "labels": []any{}}, nil)
}

// step is what --json prints of a resource that is not the same.
func step(op string, r map[string]any) map[string]any {
	return map[string]any{"op": op, "urn": r["urn"], "newState": r}
}

func planFrom(t *testing.T, state []byte, steps ...map[string]any) plan {
	t.Helper()
	preview, err := json.Marshal(map[string]any{"steps": steps})
	if err != nil {
		t.Fatal(err)
	}
	p, err := planOf(state, preview, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatAChangeDoesToWhatRuns(t *testing.T) {
	all := []map[string]any{volume("data"), service("backend", "app:1", 3, "start-first"), service("nginx", "nginx:1", 1, "stop-first"), job("migrate", "app:1", "0000001")}
	state := stateOf(t, all...)
	at := time.Date(2026, 11, 28, 1, 2, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		steps []map[string]any
		want  []string
		not   string
	}{
		{"nothing", nil, []string{"0 of its resources change, data touched: no", "| backend | is not restarted |", "| nginx | is not restarted |"}, "| migrate |"},
		{"a setting of the backend", []map[string]any{step("update", service("backend", "app:1", 3, "stop-first"))},
			[]string{"| backend | is not restarted | updateConfig.order |", "data touched: no"}, ""},
		{"a new image", []map[string]any{step("update", service("backend", "app:2", 3, "start-first")), step("replace", job("migrate", "app:2", "0000002"))},
			[]string{"2 of its resources change, backend restarts, data touched: yes", "| backend | restarts, new ones first | taskSpec.containerSpec.image |", "| migrate | runs once | image |", "- migrate runs on them (image)", `taskSpec.containerSpec.image: "app:1" => "app:2"`}, ""},
		{"more replicas", []map[string]any{step("update", service("backend", "app:1", 5, "start-first"))},
			[]string{"| backend | is not restarted; 3 replicas become 5 |", "data touched: no"}, ""},
		{"a volume is another one", []map[string]any{step("replace", func() map[string]any { v := volume("data"); v["inputs"].(map[string]any)["name"] = "other"; return v }())},
			[]string{"data touched: yes", "- the volume storage-data is made anew (name)"}, ""},
		{"a volume goes", []map[string]any{{"op": "delete", "urn": all[0]["urn"]}}, []string{"- the volume storage-data is no part of the stack any more", "- volume storage-data"}, ""},
		{"a volume more", []map[string]any{step("create", volume("more"))}, []string{"1 of its resources change, data touched: no", "+ volume storage-more"}, ""},
		{"a workload goes, and one comes", []map[string]any{{"op": "delete", "urn": all[2]["urn"]}, step("create", service("worker", "app:1", 1, "stop-first"))},
			[]string{"| nginx | goes |", "| worker | starts |"}, ""},
	} {
		c := compare(Running{Stack: "prod", Commit: strings.Repeat("c", 40), Deployed: at}, planFrom(t, state), planFrom(t, state, test.steps...))
		text := c.headline() + "\n" + c.markdown("prod", 20_000)
		for _, want := range append(test.want, "Against what runs: cccccccccccc, deployed 2026-11-28 01:02 UTC.") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", test.name, want, text)
			}
		}
		if test.not != "" && strings.Contains(text, test.not) {
			t.Errorf("%s: %q is in\n%s", test.name, test.not, text)
		}
	}
}

// What comes of stand-ins is in both plans, and no change: suffixes of names, what is encrypted, and
// what is not known. What is made of something that changes does, too, though it is not known yet.
func TestWhatIsNoChange(t *testing.T) {
	secretOf := func(data, suffix string) map[string]any {
		return item("docker:index/secret:Secret", "key", map[string]any{"__defaults": []any{"name"}, "name": "key-" + suffix, "data": data}, nil)
	}
	service := item(serviceType, "backend", map[string]any{"taskSpec": map[string]any{"containerSpec": map[string]any{
		"labels": labels("backend"), "secrets": []any{map[string]any{"secretId": unknown, "secretName": "key-0000001"}}}}},
		map[string][]string{"taskSpec": {of + "docker:index/secret:Secret::key"}})
	again := item(serviceType, "backend", map[string]any{"taskSpec": map[string]any{"containerSpec": map[string]any{
		"labels": labels("backend"), "secrets": []any{map[string]any{"secretId": unknown, "secretName": "key-0000002"}}}}},
		map[string][]string{"taskSpec": {of + "docker:index/secret:Secret::key"}})
	state := stateOf(t)
	from := planFrom(t, state, step("create", secretOf("one", "0000001")), step("create", service))
	if found := changes(from, planFrom(t, state, step("create", secretOf("one", "0000002")), step("create", again))); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	found := changes(from, planFrom(t, state, step("create", secretOf("two", "0000002")), step("create", again)))
	if len(found) != 2 || fmt.Sprint(found[1].fields) != "[{taskSpec <nil> of key, which changes}]" {
		t.Errorf("%+v", found)
	}
}

// --json hides what is secret; the saved plan has it.
func TestASecretThatChanges(t *testing.T) {
	r := item(containerType, "nginx-configuration", map[string]any{"uploads": blinded, "labels": labels("nginx-configuration", "tarot.attempt")}, nil)
	preview, _ := json.Marshal(map[string]any{"steps": []any{step("replace", r)}})
	with := func(content string) plan {
		saved, _ := json.Marshal(map[string]any{"resourcePlans": map[string]any{r["urn"].(string): map[string]any{"goal": map[string]any{
			"deleteBeforeReplace": true, "inputDiff": map[string]any{"updates": map[string]any{"uploads": secret([]any{map[string]any{"content": content}})}}}}}})
		p, err := planOf(stateOf(t), preview, saved)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	found := changes(with("a\nproxy_read_timeout 60s;\nb"), with("a\nproxy_read_timeout 61s;\nb"))
	if len(found) != 1 || found[0].lines() != "~ container nginx-configuration\n    uploads[0].content:\n      - proxy_read_timeout 60s;\n      + proxy_read_timeout 61s;\n" {
		t.Errorf("%+v", found)
	}
	if found := changes(with("same"), with("same")); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}
