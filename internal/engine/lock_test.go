package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/volume"
)

func TestLockIsWhoseItWasFirst(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api}
	ann, ben := Held{"r1", "ann@host", time.Unix(60, 0).UTC(), MoveToPostgres}, Held{"r2", "ben@host", time.Unix(120, 0).UTC(), Restore}
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
