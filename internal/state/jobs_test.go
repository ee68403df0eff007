package state

import (
	"maps"
	"testing"
)

func TestJobs(t *testing.T) {
	container := func(id, task, attempt, more string) string {
		return `{"type": "docker:index/container:Container", "id": "` + id + `"` + more + `, "inputs": {"labels": [
			{"label": "tarot.workload", "value": "` + task + `"}, {"label": "tarot.attempt", "value": "` + attempt + `"}]}}`
	}
	export := `{"deployment": {"resources": [
		{"type": "tarot:index:Platform", "outputs": {"url": "https://localhost", "tasks": {"migrate": "one", "publish": "another"}}},
		{"type": "docker:index/container:Container", "id": "replica", "inputs": {"labels": [{"label": "tarot.workload", "value": "backend"}]}},
		` + container("earlier", "migrate", "0", `, "delete": true`) + "," + container("one", "migrate", "3", "") + "," + container("two", "publish", "1", "") + `]}}`
	all, err := jobs([]byte(export))
	want := map[string]Job{"migrate": {"one", 3, true}, "publish": {"two", 1, false}}
	if err != nil || !maps.Equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	// A fresh stack has none, and one that can't be read is no fresh one.
	if all, err := jobs([]byte(`{"deployment": {}}`)); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	for _, wrong := range []string{`oops`, `{"deployment": {"resources": [` + container("one", "migrate", "x", "") + `]}}`} {
		if all, err := jobs([]byte(wrong)); err == nil {
			t.Errorf("%s: %v", wrong, all)
		}
	}
	for _, test := range []struct {
		job  Job
		want int
	}{{Job{}, 0}, {Job{"one", 3, true}, 3}, {Job{"one", 3, false}, 4}} {
		if got := test.job.Next(); got != test.want {
			t.Errorf("%+v: %d, want %d", test.job, got, test.want)
		}
	}
}
