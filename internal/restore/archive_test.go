package restore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/restore/task"
)

// ordered is an engine that notes what it is asked to start.
type ordered struct {
	Engine
	did    []string
	broken error
}

func (o *ordered) StartWriters(_ context.Context, all []journal.Stopped, _ func(string)) error {
	for _, s := range all {
		o.did = append(o.did, s.Workload)
	}
	return nil
}

func (o *ordered) RunAgain(_ context.Context, _, job string, _ time.Duration) error {
	o.did = append(o.did, job)
	return o.broken
}

// The server comes first, and knows the accounts of today before anybody logs in; one that was taken back knows them already.
func TestAServerComesFirst(t *testing.T) {
	server := &task.Server{Name: "postgres", Accounts: "postgres-users", Data: "postgres", Archive: "settings"}
	stopped := []journal.Stopped{{Workload: "backend", Serves: true}, {Workload: "postgres", Serves: true}}
	for back, want := range map[bool][]string{false: {"postgres", "postgres-users"}, true: {"postgres"}} {
		o := &ordered{}
		r := &Restore{Engine: o, Stack: Stack{Prefix: "p-s", Request: task.Request{Server: server}}}
		if err := r.serverFirst(t.Context(), journal.Journal{Stopped: stopped, Back: back}); err != nil || !slices.Equal(o.did, want) {
			t.Errorf("back %v: %v: %q", back, err, o.did)
		}
	}
	r := &Restore{Engine: &ordered{broken: errors.New("no")}, Stack: Stack{Prefix: "p-s", Request: task.Request{Server: server}}}
	if err := r.serverFirst(t.Context(), journal.Journal{Stopped: stopped}); err == nil || !strings.Contains(err.Error(), "accounts") {
		t.Error(err)
	}
	want := journal.Want{At: "latest"}
	if got := r.exclusive(want); !slices.Equal(got, []string{"p-s-postgres"}) {
		t.Errorf("%q have to be nobody's", got)
	}
	if got := r.exclusive(journal.Want{At: "0123abcd"}); len(got) != 0 {
		t.Errorf("%q: a copy goes by the server", got)
	}
}
