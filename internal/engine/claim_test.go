package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/volume"
)

var errNoAnswer = errors.New("no answer")

func lockOf(owner string, age time.Duration) *volume.Volume {
	return &volume.Volume{Name: lockName, CreatedAt: time.Now().Add(-age).Format(time.RFC3339), Labels: map[string]string{lockLabel: "images", ownerLabel: owner}}
}

func TestAClaimIsThereUntilItIsReleased(t *testing.T) {
	// An earlier `up` was killed.
	api := &fakeAPI{volumes: []*volume.Volume{{Name: "tarot-prod-claim", CreatedAt: "2026-01-01T00:00:00Z", Labels: map[string]string{claimLabel: "app:0"}}}}
	e := &Engine{api: api}
	release, err := e.Claim(t.Context(), "tarot-prod", one, two)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.claimed(t.Context()); err != nil || !slices.Equal(got, []string{one, two}) {
		t.Errorf("%v, %v", got, err)
	}
	if is, err := e.Claimed(t.Context(), "tarot-prod"); err != nil || !is {
		t.Errorf("%v, %v", is, err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if is, err := e.Claimed(t.Context(), "tarot-prod"); err != nil || is || len(api.volumes) > 0 {
		t.Errorf("%v, %v", is, err)
	}
}

func TestAClaimWaitsForTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{volumes: []*volume.Volume{lockOf("ann@example", 0)}}
		e := &Engine{api: api}
		began := time.Now()
		if _, err := e.Claim(t.Context(), "tarot-prod", one); err != nil {
			t.Fatal(err)
		}
		// Nobody has released it: it was taken for one of a dead process.
		if waited := time.Since(began); waited < staleLock || waited > staleLock+2*time.Second {
			t.Errorf("waited %s", waited)
		}
		if len(api.volumes) != 1 || api.volumes[0].Name != "tarot-prod-claim" {
			t.Errorf("%+v", api.volumes)
		}
	})
}

func TestOneAtATimeRemovesImages(t *testing.T) {
	api := &fakeAPI{volumes: append(recorded(), lockOf("ann@example", time.Minute))}
	e := &Engine{api: api}
	keep := Prune{Prefix: "tarot-prod", Current: "r3", Repository: "app", Keep: 1}
	_, err := e.PruneReleases(t.Context(), keep)
	if err == nil || len(removals(api.done)) > 0 {
		t.Fatalf("%v, %v", api.done, err)
	}
	for _, want := range []string{"ann@example", "docker volume rm " + lockName, "until the next `up`"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	api.volumes[len(api.volumes)-1] = lockOf("ann@example", time.Hour)
	if _, err := e.PruneReleases(t.Context(), keep); err != nil || !slices.Contains(api.done, "remove "+retired) {
		t.Errorf("a lock of a dead process: %v, %v", api.done, err)
	}
	// One that was taken over is nobody's to release.
	lock, err := e.lockImages(t.Context(), "tarot-prod")
	if err != nil {
		t.Fatal(err)
	}
	api.volumes = append(recorded(), lockOf("ann@example", 0))
	if err := lock.release(t.Context()); err == nil || !slices.ContainsFunc(api.volumes, func(v *volume.Volume) bool { return v.Name == lockName }) {
		t.Error("another one's lock was released")
	}
}
