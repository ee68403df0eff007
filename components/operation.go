package components

import (
	"fmt"
	"os"
)

// RunVariable is how an operation that has the stack's lock has its own `up` told from others'.
const RunVariable = "TAROT_RUN"

// checkOperation refuses while a restore of the stack, or a move of its database, is not finished:
// it has stopped programs that a deploy would start, and moves what they have open. It is asked
// before anything is declared, and again with the claim of this deploy: whoever comes second sees
// the first, as an operation looks for the claim when it has its lock.
func (r *rollout) checkOperation() error {
	held, open, err := r.args.Engine.Operating(r.ctx.Context(), r.args.Prefix)
	if err != nil {
		return fmt.Errorf("whether a restore is open: %w", err)
	}
	if !open || held.Run == os.Getenv(RunVariable) {
		return nil
	}
	return held.Unfinished(r.ctx.Stack())
}
