package components

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/engine"
)

// Its own `up` is let through: that is a step of it.
func TestAnOperationDeploysByItself(t *testing.T) {
	inProject(t)
	if r := deploy(stack(t, "prod"), &recorder{operation: "r"}, &fakeEngine{restoring: &engine.Held{Run: "r", Who: "ann@host"}}); r.err != nil {
		t.Error(r.err)
	}
	if r := deploy(stack(t, "prod"), &recorder{operation: "another"}, &fakeEngine{restoring: &engine.Held{Run: "r", Who: "ann@host", Operation: engine.MoveToPostgres}}); r.err == nil || !strings.Contains(r.err.Error(), "make database-move STACK=test CONTINUE=yes") {
		t.Errorf("%v", r.err)
	}
}

func TestNothingIsDeployedWhileARestoreIsOpen(t *testing.T) {
	inProject(t)
	for _, s := range []stage{up, preview} {
		rec := &recorder{stage: s}
		r := deploy(stack(t, "prod"), rec, &fakeEngine{restoring: &engine.Held{Run: "r", Who: "ann@host", Since: time.Unix(0, 0)}})
		if r.err == nil || !strings.Contains(r.err.Error(), "ann@host, begun 1970-01-01T00:00:00Z") || !strings.Contains(r.err.Error(), "BACK=yes") {
			t.Errorf("%s: %v", s, r.err)
		}
		if n := rec.dockers(); n > 0 {
			t.Errorf("%s: %d resources are declared", s, n)
		}
	}
}

// Somebody's `up` keeps others from theirs, and not from looking.
func TestAPreviewWhileSomebodyIsAtWork(t *testing.T) {
	inProject(t)
	held := engine.Held{Run: "r", Who: "ann@host", Operation: engine.Up, Process: "4711 1 another pid:[1]", Commit: "1a2b3c"}
	for s, refused := range map[stage]bool{up: true, preview: false} {
		rec := &recorder{stage: s}
		r := deploy(stack(t, "prod"), rec, &fakeEngine{restoring: &held})
		if told := fmt.Sprint(r.err, r.warnings); (r.err != nil) != refused || !strings.Contains(told, "ann@host") || !strings.Contains(told, "1a2b3c") {
			t.Errorf("%s: %v, %v", s, r.err, r.warnings)
		}
		if n := rec.dockers(); (n == 0) != refused {
			t.Errorf("%s: %d resources are declared", s, n)
		}
	}
}

// Whoever has begun one since the deploy was looked at is seen by the claim.
func TestARestoreThatBeginsMeanwhile(t *testing.T) {
	inProject(t)
	docker := &fakeEngine{restoring: &engine.Held{Run: "r", Who: "ann@host"}, restoringAfter: 1}
	rec := &recorder{}
	if r := deploy(stack(t, "prod"), rec, docker); r.err == nil || !strings.Contains(r.err.Error(), "ann@host") {
		t.Errorf("%v", r.err)
	}
	if n := rec.dockers(); len(docker.claims) == 0 || n > 0 {
		t.Errorf("claims %v, %d resources", docker.claims, n)
	}
}

// What could not be asked is not "none".
func TestWhetherARestoreIsOpenCouldNotBeAsked(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod"), &recorder{}, &fakeEngine{failures: map[string]error{"restoring": errors.New("no route")}})
	if r.err == nil || !strings.Contains(r.err.Error(), "no route") {
		t.Errorf("%v", r.err)
	}
}

// dockers counts what was declared of the engine's.
func (r *recorder) dockers() (n int) {
	for _, each := range r.all {
		if strings.HasPrefix(each.Type, "docker:") {
			n++
		}
	}
	return n
}
