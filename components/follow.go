package components

import (
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"tarot-platform/components/part"
)

// atOnce is how many parts follow the release at a time. Users have it by then, and a start
// takes a processor for seconds: when all of the monitoring was replaced at once, requests on
// two cores waited for ten seconds, and writes for longer than the database lets them.
const atOnce = 2

// follow runs the parts that follow the release.
func (r *rollout) follow() error {
	for _, d := range r.following {
		if err := r.made.declareVolumes(d); err != nil {
			return err
		}
		if err := r.made.declareImages(d); err != nil {
			return err
		}
	}
	waves, err := inWaves(r.following)
	if err != nil {
		return err
	}
	for _, wave := range waves {
		if err := r.followWave(wave); err != nil {
			return err
		}
	}
	return nil
}

func (r *rollout) followWave(wave []part.Described) error {
	var all errgroup.Group
	all.SetLimit(atOnce)
	if r.ctx.DryRun() {
		all.SetLimit(1) // so that a preview tells of them in the same order each time
	}
	for _, d := range wave {
		all.Go(func() error { return inComponent(d.Component, r.runPart(d)) })
		for _, j := range d.Jobs {
			if j.When == part.Beside || j.When == part.Follows {
				all.Go(func() error { return inComponent(d.Component, r.made.runJob(d.Component, j)) })
			}
		}
	}
	return all.Wait()
}

// inWaves puts parts that run at once into groups that do not: one that waits for a job of another part, or
// is made anew with it, can only do so when that is declared.
func inWaves(parts []part.Described) (waves [][]part.Described, err error) {
	whose := map[string]string{} // of a job or a service
	for _, d := range parts {
		for _, j := range d.Jobs {
			whose[j.Name] = d.Name
		}
		for _, s := range d.Services {
			whose[s.Name] = d.Name
		}
	}
	done := map[string]bool{}
	for left := slices.Clone(parts); len(left) > 0; {
		var wave, later []part.Described
		for _, d := range left {
			if slices.ContainsFunc(awaited(d), func(name string) bool { of, here := whose[name]; return here && of != d.Name && !done[of] }) {
				later = append(later, d)
			} else {
				wave = append(wave, d)
			}
		}
		if len(wave) == 0 {
			return nil, fmt.Errorf("%s and %s wait for each other's jobs", left[0].Name, left[len(left)-1].Name)
		}
		for _, d := range wave {
			done[d.Name] = true
		}
		waves, left = append(waves, wave), later
	}
	return waves, nil
}

// awaited are the jobs and services that a part names.
func awaited(d part.Described) (names []string) {
	for _, s := range d.Services {
		names = append(names, s.After...)
	}
	for _, j := range d.Jobs {
		names = slices.Concat(names, j.After, j.Again)
	}
	return names
}
