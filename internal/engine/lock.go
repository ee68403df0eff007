package engine

import (
	"cmp"
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
	whatLabel  = "tarot.what"
)

// Held is who has a lock.
type Held struct {
	// Run is what the holder calls it, Who has taken it, and Since is when.
	Run, Who string
	Since    time.Time
	// Operation is what is not finished.
	Operation Operation
}

// OperationLock is the kind of the lock that one operation on a stack has at a time, whatever it
// is. It has the name of the first that there was.
const OperationLock = "restoring"

// Operation is what is done with a stack that takes minutes, and must not be left half done.
type Operation string

// The operations.
const (
	Restore        Operation = "restore"
	MoveToPostgres Operation = "move-to-postgres"
	MoveToSQLite   Operation = "move-to-sqlite"
	Upgrade        Operation = "upgrade"
)

// Title is what a person calls it.
func (o Operation) Title() string {
	switch o {
	case MoveToPostgres:
		return "the move of the database to PostgreSQL"
	case MoveToSQLite:
		return "the move of the database to SQLite"
	case Upgrade:
		return "the upgrade of the database's PostgreSQL"
	case Restore:
		return "a restore"
	}
	return "an operation (" + string(o) + ")"
}

// Target finishes it, by make.
func (o Operation) Target() string {
	switch o {
	case Restore:
		return "restore"
	case Upgrade:
		return "database-upgrade"
	}
	return "database-move"
}

// Unfinished refuses whatever else is wanted of a stack meanwhile.
func (h Held) Unfinished(stack string) error {
	return fmt.Errorf("%s of %s by %s, begun %s, is not finished, and nothing else is done with the stack until it is. Finish it: make %[5]s STACK=%[2]s CONTINUE=yes. Or take it back: make %[5]s STACK=%[2]s BACK=yes",
		h.Operation.Title(), stack, h.Who, h.Since.UTC().Format(time.RFC3339), h.Operation.Target())
}

func stackLock(prefix, kind string) string { return prefix + "-" + kind }

// Lock takes a lock of a stack, of a kind such as "restoring". What it returns is who has it
// now: whoever took it first.
func (e *Engine) Lock(ctx context.Context, prefix, kind string, mine Held) (Held, error) {
	name := stackLock(prefix, kind)
	made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{
		StackLabel: prefix, lockLabel: kind, runLabel: mine.Run, ownerLabel: mine.Who, whatLabel: string(cmp.Or(mine.Operation, Restore)),
		sinceLabel: mine.Since.UTC().Format(time.RFC3339)}})
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
	// Those of before there was another operation do not say.
	return Held{v.Labels[runLabel], v.Labels[ownerLabel], since, cmp.Or(Operation(v.Labels[whatLabel]), Restore)}, nil
}

// Operating is the operation on a stack that is not finished; false: there is none.
func (e *Engine) Operating(ctx context.Context, prefix string) (Held, bool, error) {
	return e.Held(ctx, prefix, OperationLock)
}
