package components

import (
	"errors"
	"fmt"
	"slices"

	"tarot-platform/components/part"
)

// preflight finds what would make the deploy fail half-way, and warns of what may make it, or
// a later one, fail. All of it is told at once.
func (r *rollout) preflight() error {
	if err := r.checkOperation(); err != nil {
		return err
	}
	atWork, err := r.atWork()
	if err != nil {
		return err
	}
	needs := part.Needs(r.context, r.parts)
	warnings := []string{atWork, r.args.Engine.CheckMemory(needs), r.args.Engine.WarnIPv6(needs), r.missing()}
	for _, d := range r.parts {
		warnings = append(warnings, d.Warnings...)
	}
	sites, err := r.checkSites()
	if err != nil {
		return err
	}
	theirs, faults := r.neighbours()
	told, volumes, err := r.checkVolumes()
	if err != nil {
		return err
	}
	for _, w := range slices.Concat(warnings, theirs, told) {
		if w == "" {
			continue
		}
		if err := r.ctx.Log.Warn(w, nil); err != nil {
			return err
		}
	}
	return errors.Join(r.checkState(), r.args.Engine.Preflight(r.ctx.Context(), needs), faults, errors.Join(sites...), errors.Join(volumes...))
}

// neighbours refuses volumes that are somebody else's, and tells of what is in the way of a
// later update.
func (r *rollout) neighbours() (warnings []string, err error) {
	if len(r.args.Uses) == 0 {
		return nil, nil
	}
	warnings, faults, err := r.args.Engine.CheckUses(r.ctx.Context(), r.args.Uses)
	if err != nil {
		return nil, err
	}
	guests, err := r.args.Engine.Guests(r.ctx.Context(), r.args.Prefix)
	for _, g := range guests {
		if g.Expected(r.args.Prefix) {
			continue // checkSites knows of these
		}
		warnings = append(warnings, fmt.Sprintf("%s is on this stack's network %s, and not of this stack: the network can't be removed or changed before `%s`", g, g.Network, g.Mend()))
	}
	return warnings, errors.Join(append(faults, err)...)
}
