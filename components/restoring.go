package components

import (
	"fmt"
	"time"
)

// checkRestoring refuses while a restore of the stack is not finished: it has stopped programs
// that a deploy would start, and moves the files that they have open. It is asked before
// anything is declared, and again with the claim of this deploy: whoever comes second sees the
// first, as a restore looks for the claim when it has its lock.
func (r *rollout) checkRestoring() error {
	held, open, err := r.args.Engine.Restoring(r.ctx.Context(), r.args.Prefix)
	if err != nil {
		return fmt.Errorf("whether a restore is open: %w", err)
	}
	if !open {
		return nil
	}
	stack := r.ctx.Stack()
	return fmt.Errorf("a restore of %s by %s, begun %s, is not finished, and nothing is deployed until it is. Finish it: `make restore STACK=%[1]s CONTINUE=yes`. Or take it back: `make restore STACK=%[1]s BACK=yes`",
		stack, held.Who, held.Since.UTC().Format(time.RFC3339))
}
