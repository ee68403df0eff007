package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"
)

// Labels of a lock of a stack: an empty volume, which is made once, whoever asks (claim.go).
// Unlike the other locks it never grows old: what it keeps others from is not finished until
// somebody finishes it.
const (
	runLabel   = "tarot.run"
	sinceLabel = "tarot.since"
)

// Held is who has a lock.
type Held struct {
	// Run is what the holder calls it, Who has taken it, and Since is when.
	Run, Who string
	Since    time.Time
}

func stackLock(prefix, kind string) string { return prefix + "-" + kind }

// Lock takes a lock of a stack, of a kind such as "restoring". What it returns is who has it
// now: whoever took it first.
func (e *Engine) Lock(ctx context.Context, prefix, kind string, mine Held) (Held, error) {
	name := stackLock(prefix, kind)
	made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{
		StackLabel: prefix, lockLabel: kind, runLabel: mine.Run, ownerLabel: mine.Who, sinceLabel: mine.Since.UTC().Format(time.RFC3339)}})
	if err != nil {
		return Held{}, fmt.Errorf("lock %s: %w", name, err)
	}
	return holder(made)
}

// Held is who has a lock of a stack; false: nobody has.
func (e *Engine) Held(ctx context.Context, prefix, kind string) (Held, bool, error) {
	name := stackLock(prefix, kind)
	found, err := e.api.VolumeInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return Held{}, false, nil
	}
	if err != nil {
		return Held{}, false, fmt.Errorf("lock %s: %w", name, err)
	}
	held, err := holder(found)
	return held, err == nil, err
}

// Unlock frees a lock that a run has. That it is free already is no error.
func (e *Engine) Unlock(ctx context.Context, prefix, kind, run string) error {
	ctx = context.WithoutCancel(ctx)
	held, there, err := e.Held(ctx, prefix, kind)
	if err != nil || !there {
		return err
	}
	if held.Run != run {
		return fmt.Errorf("lock %s: %s has it since %s, for another run", stackLock(prefix, kind), held.Who, held.Since.Format(time.RFC3339))
	}
	return e.removeVolume(ctx, stackLock(prefix, kind))
}

func holder(v volume.Volume) (Held, error) {
	since, err := time.Parse(time.RFC3339, v.Labels[sinceLabel])
	if err != nil || v.Labels[runLabel] == "" {
		return Held{}, fmt.Errorf("the volume %s has the name of a lock, and does not say whose it is: `docker volume inspect %[1]s`. Where it is yours and empty, `docker volume rm %[1]s`", v.Name)
	}
	return Held{v.Labels[runLabel], v.Labels[ownerLabel], since}, nil
}

// restoring is the kind of the lock of a restore.
const restoring = "restoring"

// Restoring is the restore of a stack that is not finished; false: there is none.
func (e *Engine) Restoring(ctx context.Context, prefix string) (Held, bool, error) {
	return e.Held(ctx, prefix, restoring)
}
