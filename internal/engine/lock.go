package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/process"
)

// Labels of a lock of a stack: an empty volume, which is made once, whoever asks (claim.go).
// Unlike the other locks it never grows old. What works for minutes is not finished until somebody
// finishes it. An `up` is over when its process is; but only where that can be seen is it freed
// without a word of somebody's.
const (
	runLabel     = "tarot.run"
	sinceLabel   = "tarot.since"
	whatLabel    = "tarot.what"
	processLabel = "tarot.process"
	commitLabel  = "tarot.commit"
	dirtyLabel   = "tarot.dirty"
	// signLabel has the run of which a process says that it is alive: by a volume, too, as labels
	// never change.
	signLabel = "tarot.sign"
)

const (
	// SignEvery is how often whoever has a lock says that it is alive, and Dead is how long nothing
	// was heard of it when people are told that they may take it over.
	SignEvery = time.Minute
	Dead      = 15 * time.Minute
	// staleFreeing is far more than freeing a lock takes.
	staleFreeing = time.Minute
)

// Held is who has a lock.
type Held struct {
	// Run is what the holder calls it, Who has taken it, and Since is when.
	Run, Who string
	Since    time.Time
	// Operation is what is not finished.
	Operation Operation
	// Process has it, and whoever else has said for it that it is alive; empty: it is nobody's, and
	// another command finishes what was begun (package journal).
	Process string
	// Commit is what is deployed, where that is known; Dirty: and what is not committed.
	Commit string
	Dirty  bool
	// Silent is how long nothing was heard of a process, by the engine's clock.
	Silent time.Duration
	// others are further processes that have said so.
	others string
}

// Passing is true for what ends with a process, and which nobody else can finish.
func (h Held) Passing() bool { return h.Process != "" }

// Gone is true where no process is left of it, for sure.
func (h Held) Gone() bool {
	if !h.Passing() || !process.Gone(h.Process) {
		return false
	}
	for other := range strings.Lines(h.others) {
		if !process.Gone(strings.TrimSpace(other)) {
			return false
		}
	}
	return true
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

// Those that are over when their process is: the next `up` heals what one leaves that was killed.
const (
	Up         Operation = "up"
	Rollback   Operation = "rollback"
	Forward    Operation = "forward"
	Rotate     Operation = "rotate"
	VolumeCopy Operation = "volume-copy"
	Destroy    Operation = "destroy"
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
	case Up:
		return "an `up`"
	case Rollback:
		return "a rollback"
	case Forward:
		return "the way forward after a rollback"
	case Rotate:
		return "the rotation of a secret"
	case VolumeCopy:
		return "the copy of a volume"
	case Destroy:
		return "a `destroy`"
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
	if h.Passing() {
		return fmt.Errorf("%s of %s is going on: %s. Nothing was touched. %s", h.Operation.Title(), stack, h.Whose(), h.Advice(stack))
	}
	return fmt.Errorf("%s of %s by %s, begun %s, is not finished, and nothing else is done with the stack until it is. Finish it: make %[5]s STACK=%[2]s CONTINUE=yes. Or take it back: make %[5]s STACK=%[2]s BACK=yes",
		h.Operation.Title(), stack, h.Who, h.Since.UTC().Format(time.RFC3339), h.Operation.Target())
}

// Whose says who is at it, from where, since when, and with what.
func (h Held) Whose() string {
	text := fmt.Sprintf("by %s, process %s, since %s", h.Who, process.Number(h.Process), h.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
	if h.Commit != "" {
		text += ", of the commit " + h.Commit
	}
	if h.Dirty {
		text += " with changes that are not committed"
	}
	return text
}

// Advice is what to do about it.
func (h Held) Advice(stack string) string {
	switch {
	case h.Gone():
		return "That process has ended: the next command frees the stack by itself"
	case process.Here(h.Process):
		return fmt.Sprintf("It is at work on this machine: wait for its end (make lock STACK=%s)", stack)
	case h.Silent >= Dead:
		return fmt.Sprintf("Nothing was heard of it for %s, so it is dead, most likely: make lock-release STACK=%s frees the stack", h.Silent.Truncate(time.Second), stack)
	}
	return fmt.Sprintf("It was alive %s ago: wait for its end (make lock STACK=%s). Where you know that it is dead, make lock-release STACK=%[2]s frees the stack", h.Silent.Truncate(time.Second), stack)
}

func stackLock(prefix, kind string) string { return prefix + "-" + kind }

// Lock takes a lock of a stack, of a kind such as "restoring". What it returns is who has it
// now: whoever took it first.
func (e *Engine) Lock(ctx context.Context, prefix, kind string, mine Held) (Held, error) {
	name := stackLock(prefix, kind)
	labels := map[string]string{StackLabel: prefix, lockLabel: kind, runLabel: mine.Run, ownerLabel: mine.Who, whatLabel: string(cmp.Or(mine.Operation, Restore)),
		sinceLabel: mine.Since.UTC().Format(time.RFC3339)}
	for label, value := range map[string]string{processLabel: mine.Process, commitLabel: mine.Commit} {
		if value != "" {
			labels[label] = value
		}
	}
	if mine.Dirty {
		labels[dirtyLabel] = strconv.FormatBool(true)
	}
	made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels})
	if err != nil {
		return Held{}, fmt.Errorf("lock %s: %w", name, err)
	}
	held, err := holder(made)
	if err != nil || held.Run == mine.Run || !held.Passing() {
		return held, err
	}
	return e.heard(ctx, prefix, held, made)
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
	if err == nil && held.Passing() {
		held, err = e.heard(ctx, prefix, held, found)
	}
	return held, err == nil, err
}

// heard adds what the processes of a run have said since they have the lock.
func (e *Engine) heard(ctx context.Context, prefix string, held Held, lock volume.Volume) (Held, error) {
	signs, err := e.signs(ctx, prefix, held.Run)
	if err != nil {
		return held, err
	}
	held.Silent = e.since(held.Since) // where the engine does not tell when it made a volume
	for i, v := range append([]*volume.Volume{&lock}, signs...) {
		if made, err := time.Parse(time.RFC3339, v.CreatedAt); err == nil {
			if ago := max(e.since(made), 0); i == 0 || ago < held.Silent {
				held.Silent = ago
			}
		}
		if other := v.Labels[processLabel]; other != held.Process {
			held.others += other + "\n"
		}
	}
	return held, nil
}

// signs are those of a run.
func (e *Engine) signs(ctx context.Context, prefix, run string) ([]*volume.Volume, error) {
	found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", signLabel+"="+run))})
	if err != nil {
		return nil, fmt.Errorf("whether who has the stack is alive: %w", err)
	}
	return found.Volumes, nil
}

// Sign says for a process that a run is alive, in place of what that process has said before.
func (e *Engine) Sign(ctx context.Context, prefix, run, by string) error {
	before, err := e.signs(ctx, prefix, run)
	if err != nil {
		return err
	}
	name := prefix + "-sign-" + run + "-" + process.Number(by) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{StackLabel: prefix, signLabel: run, processLabel: by}}); err != nil {
		return fmt.Errorf("say that it is alive: %w", err)
	}
	return e.removeSigns(ctx, before, by)
}

// Unsign takes back what a process has said.
func (e *Engine) Unsign(ctx context.Context, prefix, run, by string) error {
	ctx = context.WithoutCancel(ctx)
	all, err := e.signs(ctx, prefix, run)
	if err != nil {
		return err
	}
	return e.removeSigns(ctx, all, by)
}

// removeSigns removes those of a process; empty: of all.
func (e *Engine) removeSigns(ctx context.Context, all []*volume.Volume, by string) error {
	for _, v := range all {
		if by != "" && v.Labels[processLabel] != by {
			continue
		}
		if err := e.removeVolume(ctx, v.Name); err != nil {
			return err
		}
	}
	return nil
}

// Free takes a lock from a run that will not free it. One at a time does: between the question whose
// it is and its removal, somebody else may have done both, and have it by now.
func (e *Engine) Free(ctx context.Context, prefix, kind, run string) (err error) {
	ctx = context.WithoutCancel(ctx)
	name, mine := stackLock(prefix, kind)+"-freeing", rand.Text()
	for again := false; ; again = true {
		made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{StackLabel: prefix, lockLabel: "freeing", ownerLabel: mine}})
		if err != nil {
			return fmt.Errorf("lock %s: %w", name, err)
		}
		if made.Labels[ownerLabel] == mine {
			break
		}
		if again || !e.stale(made, staleFreeing) {
			return fmt.Errorf("somebody else is freeing the lock %s at this moment: try again", stackLock(prefix, kind))
		}
		if err := e.removeVolume(ctx, name); err != nil {
			return err
		}
	}
	defer func() {
		if gone := e.removeVolume(ctx, name); err == nil {
			err = gone
		}
	}()
	if err := e.Unlock(ctx, prefix, kind, run); err != nil {
		return err
	}
	left, err := e.signs(ctx, prefix, run)
	if err != nil {
		return err
	}
	return e.removeSigns(ctx, left, "")
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
	return Held{Run: v.Labels[runLabel], Who: v.Labels[ownerLabel], Since: since, Operation: cmp.Or(Operation(v.Labels[whatLabel]), Restore),
		Process: v.Labels[processLabel], Commit: v.Labels[commitLabel], Dirty: v.Labels[dirtyLabel] != ""}, nil
}

// Operating is the operation on a stack that is not finished; false: there is none.
func (e *Engine) Operating(ctx context.Context, prefix string) (Held, bool, error) {
	return e.Held(ctx, prefix, OperationLock)
}
