package engine

import "context"

// MaintenanceLock is the kind of the mark of a stack whose users get the maintenance page at
// somebody's request. It is on the engine, so that an `up` from any checkout leaves the page where
// it is.
const MaintenanceLock = "maintenance"

// Maintained is who has the maintenance page shown, and since when; false: nobody has, beside what
// the stack's file says.
func (e *Engine) Maintained(ctx context.Context, prefix string) (Held, bool, error) {
	return e.Held(ctx, prefix, MaintenanceLock)
}
