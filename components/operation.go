package components

import (
	"fmt"

	"tarot-platform/internal/engine"
)

const (
	// RunVariable is how an operation that has the stack's lock has its own `up` told from others'.
	RunVariable = "TAROT_RUN"
	// OperationVariable is what an `up` is for, in a word (rollback) and what more there is to say of it.
	OperationVariable = "TAROT_OPERATION"
)

// checkOperation refuses while a restore of the stack, or a move of its database, is not finished:
// it has stopped programs that a deploy would start, and moves what they have open. It is asked
// before anything is declared, and again with the claim of this deploy: whoever comes second sees
// the first, as an operation looks for the claim when it has its lock.
func (r *rollout) checkOperation() error {
	held, open, err := r.operating()
	if err != nil || !open || held.Passing() && r.ctx.DryRun() {
		return err
	}
	return held.Unfinished(r.ctx.Stack())
}

// operating is what is done with the stack, and is not this deploy's.
func (r *rollout) operating() (engine.Held, bool, error) {
	held, open, err := r.args.Engine.Operating(r.ctx.Context(), r.args.Prefix)
	if err != nil {
		return held, false, fmt.Errorf("whether a restore is open: %w", err)
	}
	return held, open && held.Run != r.args.Operation, nil
}

// atWork tells a preview who changes the stack meanwhile; empty: nobody does.
func (r *rollout) atWork() (warning string, err error) {
	if !r.ctx.DryRun() {
		return "", nil
	}
	held, open, err := r.operating()
	if err != nil || !open || held.Gone() {
		return "", err
	}
	return fmt.Sprintf("%s of %s is going on, so what runs may be something else in a minute: %s", held.Operation.Title(), r.ctx.Stack(), held.Whose()), nil
}
