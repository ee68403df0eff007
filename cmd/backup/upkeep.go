package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const (
	upkeepFile = "upkeep.json"
	// verifiedFile holds the snapshots that a rehearsal has restored, and when.
	verifiedFile = "verified.json"
	// checkParts is in how many parts a repository is read: one a day, so that all of it is read
	// within a month.
	checkParts = 28
	// pruneEvery is the time between two removals of what no snapshot needs.
	pruneEvery = 7 * 24 * time.Hour
	// incompleteStay is how long a snapshot stays that is not whole.
	incompleteStay = "14d"
)

// upkeep is what is remembered of looking after the repository.
type upkeep struct {
	Pruned time.Time
	// Checked is when each part was read last.
	Checked [checkParts]time.Time
	// Repository is the target of those.
	Target string
	// Incomplete are snapshots that do not count, and Emptied since when volumes have no files.
	Incomplete []string
	Emptied    map[string]time.Time
}

func (n *nightly) upkeep() (u upkeep, err error) {
	err = readJSON(below(n.State, upkeepFile), &u)
	if u.Target != n.Target.ID() { // another repository
		u.Target, u.Pruned, u.Checked = n.Target.ID(), time.Time{}, [checkParts]time.Time{}
	}
	return u, err
}

func (n *nightly) keepUp(u upkeep) error { return writeJSON(below(n.State, upkeepFile), u) }

// verified are the snapshots that a rehearsal has restored.
func verified(state string) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	err := readJSON(below(state, verifiedFile), &all)
	return all, err
}

// decided is what a policy makes of snapshots.
type decided struct{ Keep, Remove []snapshot }

// forgettable is what may go of what a policy does not keep: nothing where none of those that stay
// was ever restored. why says that, where there is something that would go.
func (d decided) forgettable(verified map[string]time.Time) (ids []string, why string) {
	is := func(s snapshot) bool { return !verified[s.ID].IsZero() }
	for _, s := range d.Remove {
		ids = append(ids, s.ID)
	}
	switch {
	case len(ids) == 0 || slices.ContainsFunc(d.Keep, is):
		return ids, ""
	case slices.ContainsFunc(d.Remove, is):
		return nil, fmt.Sprintf("%d old snapshots stay: a rehearsal has restored some of them, and none of the %d newer ones that would be left", len(ids), len(d.Keep))
	}
	return nil, fmt.Sprintf("%d old snapshots stay, as no rehearsal has restored one yet", len(ids))
}

// forget removes the snapshots that are too old.
func (n *nightly) forget(ctx context.Context) error {
	if n.AppendOnly {
		return nil
	}
	restored, err := verified(n.State)
	if err != nil {
		return err
	}
	var groups []decided
	if err := n.restic.read(ctx, &groups, "forget", "--dry-run", "--json", "--no-lock", "--host", n.Target.Stack, "--group-by", "host", "--tag", nightlyTag,
		"--keep-daily", fmt.Sprint(n.Keep.Daily), "--keep-weekly", fmt.Sprint(n.Keep.Weekly), "--keep-monthly", fmt.Sprint(n.Keep.Monthly)); err != nil {
		return fmt.Errorf("old snapshots stay: %w", err)
	}
	for _, group := range groups {
		ids, why := group.forgettable(restored)
		if why != "" {
			n.tell("%s", why)
		}
		if len(ids) == 0 {
			continue
		}
		// By their names: nothing else goes, whatever comes between.
		if err := n.restic.run(ctx, io.Discard, append([]string{"forget"}, ids...)...); err != nil {
			return fmt.Errorf("old snapshots stay: %w", err)
		}
		n.log.Info("old snapshots are gone", "count", len(ids))
	}
	// Of those that are not whole the newest one stays in any case.
	if err := n.restic.run(ctx, io.Discard, "forget", "--host", n.Target.Stack, "--group-by", "host", "--tag", incompleteTag, "--keep-within", incompleteStay); err != nil {
		return fmt.Errorf("old snapshots that are not whole stay: %w", err)
	}
	return nil
}

// prune removes what no snapshot needs: on Sundays, and when that was missed.
func (n *nightly) prune(ctx context.Context) error {
	if n.AppendOnly {
		return nil
	}
	u, err := n.upkeep()
	if err != nil {
		return err
	}
	if u.Pruned.IsZero() { // a new repository has nothing to remove
		u.Pruned = n.now()
		return n.keepUp(u)
	}
	age := n.now().Sub(u.Pruned)
	if age < pruneEvery && (n.now().UTC().Weekday() != time.Sunday || age < 24*time.Hour) {
		return nil
	}
	if err := n.restic.run(ctx, io.Discard, "prune", "--max-unused", "5%"); err != nil {
		return fmt.Errorf("what no snapshot needs stays: %w", err)
	}
	u.Pruned = n.now()
	return n.keepUp(u)
}

// due are the parts of the repository to be read now, from 1 on: the one that was read longest ago,
// and one more where it is behind.
func (u upkeep) due(now time.Time) []int {
	parts := make([]int, checkParts)
	for i := range parts {
		parts[i] = i
	}
	slices.SortStableFunc(parts, func(a, b int) int { return u.Checked[a].Compare(u.Checked[b]) })
	next := []int{parts[0] + 1}
	if now.Sub(u.Checked[parts[0]]) > checkParts*24*time.Hour {
		next = append(next, parts[1]+1)
	}
	return next
}

// covered is since when all of the repository was read once; zero: it was not yet.
func (u upkeep) covered() time.Time {
	return slices.MinFunc(u.Checked[:], time.Time.Compare)
}

// check reads a part of the repository, in turn.
func (n *nightly) check(ctx context.Context) error {
	u, err := n.upkeep()
	if err != nil {
		return err
	}
	for _, part := range u.due(n.now()) {
		var summary struct {
			Kind   string `json:"message_type"`
			Errors int    `json:"num_errors"`
		}
		err := eachLine(func(out io.Writer) error {
			return n.restic.run(ctx, out, "check", "--json", fmt.Sprintf("--read-data-subset=%d/%d", part, checkParts))
		}, func(line []byte) error {
			next := summary
			if json.Unmarshal(line, &next) == nil && next.Kind == "summary" {
				summary = next
			}
			return nil
		})
		if summary.Errors > 0 || err != nil && strings.Contains(err.Error(), "contains errors") {
			return wrongf("the repository is damaged: `restic check` finds %d faults (docs/runbooks/BackupFilesFailed.md): %w", summary.Errors, err)
		}
		if err != nil {
			return fmt.Errorf("the repository was not checked: %w", err)
		}
		u.Checked[part-1] = n.now()
		if err := n.keepUp(u); err != nil {
			return err
		}
	}
	n.figure("check_coverage_timestamp_seconds", seconds(u.covered()))
	return nil
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

// count tells how many snapshots there are.
func (n *nightly) count(ctx context.Context) error {
	all, err := n.restic.snapshots(ctx, n.Target.Stack, nightlyTag)
	if err != nil {
		return err
	}
	restored, err := verified(n.State)
	if err != nil {
		return err
	}
	known := 0
	for _, s := range all {
		if !restored[s.ID].IsZero() {
			known++
		}
	}
	n.figure("files_snapshots", float64(len(all)))
	n.figure("files_verified_snapshots", float64(known))
	return nil
}
