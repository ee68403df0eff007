package release

import (
	"errors"
	"fmt"
	"slices"
)

// Target is the release that a rollback goes to, of a stack's releases, the one that ran
// last first: the one that is named; or else the one before the last; or, where an `up`
// has failed since, the last. That one ran as wanted: its record says so. An `up` that
// failed since may have gone as far as the users, and is what somebody wants to get rid of.
func Target(all []Release, named string, failed bool) (string, error) {
	switch {
	case named != "" && !slices.ContainsFunc(all, func(r Release) bool { return r.Name == named }):
		return "", fmt.Errorf("there is no release %s; there are: %s", named, Names(all))
	case named != "":
		return named, nil
	case len(all) == 0:
		return "", errors.New("there is no release yet")
	case failed && !all[0].Unfinished:
		return all[0].Name, nil
	case all[0].Before == "" || !slices.ContainsFunc(all, func(r Release) bool { return r.Name == all[0].Before }):
		return "", fmt.Errorf("there is no release before %s; there are: %s", all[0].Name, Names(all))
	}
	return all[0].Before, nil
}
