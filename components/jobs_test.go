package components

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/workload"
)

// store is a service that other parts fill, and tidy up when a release is there.
type store struct{}

func (store) Name() string { return "store" }

func (store) Spec(c part.Context) (part.Spec, error) {
	return part.Spec{
		Services: []part.Service{{
			Program: workload.Program{Name: "store", Replicas: 1, User: "999:999", StopGrace: 5e9, Exclusive: true, Logging: c.Log("store"),
				Limits: workload.Limits{Memory: 64 << 20}, Health: workload.Health{Test: []string{"CMD", "ping"}, Interval: 1e9, Timeout: 1e9, Retries: 1}},
			Image: "store", Networks: []string{part.Inner}, Mounts: []part.Mount{{Kind: workload.Tmpfs, Target: "/tmp"}},
		}},
		Images: []part.Image{{Name: "store", Reference: "store:1"}},
	}, nil
}

// contents is what is done in the store, by its jobs alone.
type contents struct{}

func (contents) Name() string { return "contents" }

func (contents) Spec(c part.Context) (part.Spec, error) {
	job := func(name string, when part.When, again ...string) part.Job {
		return part.Job{When: when, Within: 1e9, Again: again, Service: part.Service{
			Program: workload.Program{Name: name, Command: []string{name}, User: "999:999", Limits: workload.Limits{Memory: 32 << 20}, Logging: c.Log(name)},
			Image:   "store", Networks: []string{part.Inner}}}
	}
	return part.Spec{
		Needs:       []string{"store"},
		Jobs:        []part.Job{job("fill", part.Before, "store"), job("sweep", part.Drained, "store", "fill")},
		Application: []part.Variable{{Name: "STORE", Value: "store:1"}},
	}, nil
}

func withStore(t *testing.T) {
	t.Helper()
	before := parts.All
	t.Cleanup(func() { parts.All = before })
	parts.All = append(slices.Clone(before), contents{}, store{})
}

// What a job has done may be gone with what it was done to.
func TestAJobRunsAgainWithWhatIsMadeAnew(t *testing.T) {
	withStore(t)
	for name, store := range map[string]string{"prod": "tarot-test-store-id", "prod as containers": "tarot-test-store-1-id"} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name), up)
			for job, want := range map[string]string{"tarot-test-fill": store, "tarot-test-sweep": store + " tarot-test-fill-id"} {
				if got := r.get(t, "Container", job).at("labels", 3); at(got, "label") != "tarot.again" || at(got, "value") != want {
					t.Errorf("%s is known by %v, want %s", job, got, want)
				}
			}
			if labels := r.get(t, "Container", "tarot-test-migrate").list("labels"); len(labels) != 3 {
				t.Errorf("another job has more than it had: %v", labels)
			}
			succeed(t, stack(t, name), preview) // where no identity is known
		})
	}
}

// The earlier replicas work until nobody asks them any more, so what they need stays as long.
func TestWhatOnlyEarlierReplicasUseIsTakenAwayLast(t *testing.T) {
	withStore(t)
	inProject(t)
	r := succeed(t, stack(t, "prod as containers"), up)
	place := func(what string) int {
		return slices.IndexFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, what) })
	}
	fill, backend, sweep := place("job tarot-test-fill "), place("container tarot-test-backend-1 "), place("job tarot-test-sweep ")
	if fill < 0 || fill > backend || sweep != len(r.engine.asked)-1 {
		t.Errorf("filled at %d, replicas at %d, swept at %d: %q", fill, backend, sweep, r.engine.asked)
	}
	r = deploy(stack(t, "prod as containers"), &recorder{}, &fakeEngine{failures: map[string]error{"smoke ": errors.New("the site is down")}})
	if r.err == nil || r.has("Container tarot-test-sweep") || !r.has("Container tarot-test-fill") {
		t.Errorf("it is swept although users have the earlier release: %v", r.err)
	}
}

func TestAJobCanNotRunAgainWithWhatComesLater(t *testing.T) {
	_, err := (&realised{}).identities([]string{"moon"})
	if err == nil || !strings.Contains(err.Error(), "moon, which is not there yet") {
		t.Error(err)
	}
}
