package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/process"
)

func TestLockIsWhoseItWasFirst(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api}
	ann := Held{Run: "r1", Who: "ann@host", Since: time.Unix(60, 0).UTC(), Operation: MoveToPostgres}
	ben := Held{Run: "r2", Who: "ben@host", Since: time.Unix(120, 0).UTC(), Operation: Restore}
	for _, mine := range []Held{ann, ben} {
		if held, err := e.Lock(t.Context(), "p-s", OperationLock, mine); err != nil || held != ann {
			t.Errorf("%s: %+v, %v", mine.Who, held, err)
		}
	}
	if held, open, err := e.Operating(t.Context(), "p-s"); err != nil || !open || held != ann {
		t.Errorf("%+v, %v, %v", held, open, err)
	}
	if err := e.Unlock(t.Context(), "p-s", OperationLock, "r2"); err == nil || !strings.Contains(err.Error(), "ann@host") {
		t.Errorf("freed by another run: %v", err)
	}
	for range 2 { // the second time it is free already
		if err := e.Unlock(t.Context(), "p-s", OperationLock, "r1"); err != nil {
			t.Error(err)
		}
	}
	if _, open, err := e.Operating(t.Context(), "p-s"); err != nil || open {
		t.Errorf("open %v, %v", open, err)
	}
}

// A volume of that name says nothing of who has it, or could not be asked: that is not "nobody".
func TestLockThatCanNotBeRead(t *testing.T) {
	e := &Engine{api: &fakeAPI{volumes: []*volume.Volume{{Name: "p-s-restoring"}}}}
	if _, _, err := e.Operating(t.Context(), "p-s"); err == nil || !strings.Contains(err.Error(), "docker volume rm p-s-restoring") {
		t.Errorf("%v", err)
	}
	e = &Engine{api: &fakeAPI{volumes: []*volume.Volume{{Name: "p-s-restoring"}}, failure: errors.New("no answer")}}
	if _, _, err := e.Operating(t.Context(), "p-s"); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("%v", err)
	}
}

// Its run is not over while a process says so, wherever the one is that has the lock.
func TestALockOfAProcess(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api, opened: time.Now()}
	mine := Held{Run: "r1", Who: "ann@host", Since: time.Now(), Operation: Up, Process: process.Self(), Commit: "1a2b3c", Dirty: true}
	if held, err := e.Lock(t.Context(), "p-s", OperationLock, mine); err != nil || held.Run != "r1" {
		t.Fatalf("%+v, %v", held, err)
	}
	held, err := e.Lock(t.Context(), "p-s", OperationLock, Held{Run: "r2", Who: "ben@host", Operation: Up, Process: process.Self()})
	if err != nil || held.Run != "r1" || held.Gone() {
		t.Errorf("%+v, %v", held, err)
	}
	told := held.Unfinished("prod").Error()
	for _, want := range []string{"an `up` of prod", "ann@host", "process " + process.Number(mine.Process), "1a2b3c", "not committed", "Nothing was touched", "wait for its end"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in %q", want, told)
		}
	}
	if strings.Contains(told, "CONTINUE") {
		t.Errorf("nobody can continue it: %q", told)
	}
}

// farAway and hasEnded are processes.
var farAway = "4711 1 another-machine pid:[1]"

func hasEnded(t *testing.T) string {
	t.Helper()
	words := strings.Split(process.Self(), " ")
	if len(words) < 4 {
		t.Skip("nothing is known of processes here")
	}
	words[1] = "1" // of the same number, and another one
	return strings.Join(words, " ")
}

func TestALockIsGoneWhenNoProcessIsLeft(t *testing.T) {
	gone := hasEnded(t)
	for _, test := range []struct {
		name  string
		has   string
		signs []string
		want  bool
	}{
		{"it has ended", gone, nil, true},
		{"it runs", process.Self(), nil, false},
		{"it is elsewhere", farAway, nil, false},
		{"it has ended, and another one works for it", gone, []string{process.Self()}, false},
		{"it has ended, and another one may work for it elsewhere", gone, []string{farAway}, false},
		{"all have ended", gone, []string{gone + " "}, true},
		{"nobody's: another command goes on", "", nil, false},
	} {
		api := &fakeAPI{}
		e := &Engine{api: api, opened: time.Now()}
		if _, err := e.Lock(t.Context(), "p-s", OperationLock, Held{Run: "r1", Who: "ann@host", Since: time.Now(), Operation: Up, Process: test.has}); err != nil {
			t.Fatal(err)
		}
		for _, by := range test.signs {
			if err := e.Sign(t.Context(), "p-s", "r1", by); err != nil {
				t.Fatal(err)
			}
		}
		held, open, err := e.Operating(t.Context(), "p-s")
		if err != nil || !open || held.Gone() != test.want {
			t.Errorf("%s: %+v, %v, %v", test.name, held, open, err)
		}
	}
}

// One sign of each process is kept, and they count from the last one.
func TestSignsOfLife(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api, opened: time.Now()}
	if _, err := e.Lock(t.Context(), "p-s", OperationLock, Held{Run: "r1", Who: "ann@host", Since: time.Now(), Operation: Up, Process: farAway}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := e.Sign(t.Context(), "p-s", "r1", farAway); err != nil {
			t.Fatal(err)
		}
	}
	if len(api.volumes) != 2 {
		t.Errorf("%v", names(api))
	}
	for _, v := range api.volumes {
		v.CreatedAt = time.Now().Add(-20 * time.Minute).Format(time.RFC3339)
	}
	held, _, err := e.Operating(t.Context(), "p-s")
	if err != nil || held.Silent < 20*time.Minute || !strings.Contains(held.Unfinished("prod").Error(), "make lock-release STACK=prod") || !strings.Contains(held.Unfinished("prod").Error(), "dead, most likely") {
		t.Errorf("%+v, %v: %v", held, err, held.Unfinished("prod"))
	}
	if err := e.Sign(t.Context(), "p-s", "r1", farAway); err != nil {
		t.Fatal(err)
	}
	if held, _, err := e.Operating(t.Context(), "p-s"); err != nil || held.Silent > time.Minute || strings.Contains(held.Unfinished("prod").Error(), "most likely") {
		t.Errorf("%+v, %v", held, err)
	}
	if err := e.Unsign(t.Context(), "p-s", "r1", farAway); err != nil || len(api.volumes) != 1 {
		t.Errorf("%v, %v", names(api), err)
	}
}

// Between the question whose a lock is and its removal, somebody else may have freed and taken it.
func TestFreeingTakesOnlyTheLockThatWasSeen(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api, opened: time.Now()}
	lock := func(run string) {
		t.Helper()
		if held, err := e.Lock(t.Context(), "p-s", OperationLock, Held{Run: run, Who: run + "@host", Since: time.Now(), Operation: Up, Process: farAway}); err != nil || held.Run != run {
			t.Fatalf("%+v, %v", held, err)
		}
	}
	lock("dead")
	if err := e.Sign(t.Context(), "p-s", "dead", farAway); err != nil {
		t.Fatal(err)
	}
	if err := e.Free(t.Context(), "p-s", OperationLock, "dead"); err != nil || len(api.volumes) > 0 {
		t.Fatalf("%v, %v", names(api), err)
	}
	lock("next")
	if err := e.Free(t.Context(), "p-s", OperationLock, "dead"); err == nil {
		t.Error("the lock of another run was freed")
	}
	if held, open, err := e.Operating(t.Context(), "p-s"); err != nil || !open || held.Run != "next" || len(api.volumes) != 1 {
		t.Errorf("%+v, %v, %v, %v", held, open, err, names(api))
	}
	// Somebody else is at it, or was killed then.
	freeing := &volume.Volume{Name: "p-s-restoring-freeing", Labels: map[string]string{ownerLabel: "another"}, CreatedAt: time.Now().Format(time.RFC3339)}
	api.volumes = append(api.volumes, freeing)
	if err := e.Free(t.Context(), "p-s", OperationLock, "next"); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Error(err)
	}
	freeing.CreatedAt = time.Now().Add(-time.Hour).Format(time.RFC3339)
	if err := e.Free(t.Context(), "p-s", OperationLock, "next"); err != nil || len(api.volumes) > 0 {
		t.Errorf("%v, %v", names(api), err)
	}
}
