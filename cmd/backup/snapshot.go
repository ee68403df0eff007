package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/place"
)

// The tags of snapshots. One that is not whole is no longer of the nightly ones: it is neither
// restored unasked nor one of those that stay.
const (
	nightlyTag    = "nightly"
	incompleteTag = "incomplete"
)

// plain is what a tag may be of.
var plain = regexp.MustCompile(`^[A-Za-z0-9_.:@/-]+$`)

// back makes the snapshot, and is its id.
func (n *nightly) back(ctx context.Context) (id string, err error) {
	words := []string{"backup", "--json", "--no-scan", "--host", n.Target.Stack, "--group-by", "host", "--tag", nightlyTag, "--tag", "stack=" + n.Target.Stack}
	if release, err := os.ReadFile(below(n.State, releaseFile)); err == nil && plain.MatchString(strings.TrimSpace(string(release))) {
		words = append(words, "--tag", "release="+strings.TrimSpace(string(release)))
	}
	words = append(words, "--exclude", escaped(n.Source)+"/*/"+place.Folder)
	if n.Database != "" {
		for _, file := range databaseFiles(n.Database) {
			words = append(words, "--exclude", escaped(file))
		}
	}
	for _, pattern := range n.Exclude {
		if strings.HasPrefix(pattern, "/") {
			pattern = escaped(n.Source) + pattern
		}
		words = append(words, "--exclude", pattern)
	}
	words = append(words, "--", n.Source, below(n.State, dumpFolder))
	for _, file := range []string{sealedFile, releaseFile} {
		if _, err := os.Stat(below(n.State, file)); err == nil {
			words = append(words, below(n.State, file))
		}
	}
	var summary struct {
		Kind   string  `json:"message_type"`
		ID     string  `json:"snapshot_id"`
		Added  float64 `json:"data_added"`
		Packed float64 `json:"data_added_packed"`
		Size   float64 `json:"total_bytes_processed"`
	}
	err = n.restic.patient(ctx, func() error {
		return eachLine(func(out io.Writer) error { return n.restic.run(ctx, out, words...) }, func(line []byte) error {
			var one = summary
			one.Kind = ""
			if err := json.Unmarshal(line, &one); err != nil || one.Kind != "summary" {
				return nil //nolint:nilerr // what is no summary says how far it is
			}
			summary = one
			return nil
		})
	})
	if resticCode(err) == resticIncomplete {
		return "", n.incomplete(ctx, summary.ID, err)
	}
	if err != nil {
		if ctx.Err() != nil {
			return "", err // it is asked to end, and runs again
		}
		return "", wrong{err}
	}
	if summary.ID == "" {
		return "", wrongf("restic has ended well, and has not said which snapshot it has made")
	}
	if summary.Packed == 0 {
		summary.Packed = summary.Added
	}
	n.figure("files_added_bytes", summary.Packed)
	n.figure("files_size_bytes", summary.Size)
	return summary.ID, nil
}

// incomplete marks a snapshot for which not all could be read: it stays for a while, as some of it
// is better than nothing.
func (n *nightly) incomplete(ctx context.Context, id string, why error) error {
	err := wrongf("not all files could be read, so that this snapshot does not count: %w", why)
	if id == "" {
		return err
	}
	u, failed := n.upkeep()
	if failed == nil {
		u.Incomplete = append(u.Incomplete, id)
		failed = n.keepUp(u)
	}
	if failed == nil && !n.AppendOnly {
		failed = n.restic.patient(ctx, func() error {
			return n.restic.run(ctx, io.Discard, "tag", "--remove", nightlyTag, "--add", incompleteTag, id)
		})
	}
	if failed != nil {
		return fmt.Errorf("%w; and it could not be marked as such: %w", err, failed)
	}
	return err
}

// spot compares some files by chance with the snapshot: that it was made says nothing of what was
// left out of it.
func (n *nightly) spot(ctx context.Context, id string, sample []seen) error {
	folder := below(n.State, "spot")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	// Where restic reads a folder and finds nothing, the manifest is missing, too.
	words := []string{"restore", "--no-lock", "--target", folder, "--include", escaped(below(n.State, dumpFolder, manifestFile))}
	for _, file := range sample {
		words = append(words, "--include", escaped(file.path))
	}
	if err := n.restic.run(ctx, io.Discard, append(words, id)...); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return wrongf("what was just written can not be read back: %w", err)
	}
	if err := same(below(folder, n.State, dumpFolder, manifestFile), below(n.State, dumpFolder, manifestFile)); err != nil {
		return wrongf("the snapshot does not hold what it was made of: %w", err)
	}
	equal, missing := 0, ""
	for _, file := range sample {
		switch info, err := os.Stat(file.path); {
		case err != nil, info.Size() != file.size, !info.ModTime().Equal(file.changed):
			continue // it has changed meanwhile
		}
		_, err := os.Lstat(below(folder, file.path))
		switch {
		case os.IsNotExist(err):
			missing = file.path
		case err != nil:
			return err
		default:
			if err := same(below(folder, file.path), file.path); err != nil {
				return wrongf("the snapshot does not hold what it was made of: %w", err)
			}
			equal++
		}
	}
	// Which files patterns leave out, restic alone knows: but not all of them.
	if missing != "" && (len(n.Exclude) == 0 || equal == 0) {
		return wrongf("the snapshot does not have %s", missing)
	}
	return nil
}

// same is an error where two files differ.
func same(copied, original string) error {
	_, one, err := newest.Sum(copied)
	if err != nil {
		return err
	}
	_, other, err := newest.Sum(original)
	if err != nil {
		return err
	}
	if one != other {
		return fmt.Errorf("%s is another one there", original)
	}
	return nil
}

// meant is how long a volume that has become empty is told, until it is taken for meant.
const meant = 3 * 24 * time.Hour

// emptied is an error for a volume that had files when there was the last good snapshot, and has
// none now: a wrong mount looks so.
func (n *nightly) emptied(now manifest) error {
	var last manifest
	if err := readJSON(below(n.State, manifestFile), &last); err != nil {
		return err
	}
	u, err := n.upkeep()
	if err != nil {
		return err
	}
	since := map[string]time.Time{}
	var wrongs []string
	for name, count := range now.Volumes {
		if count.Files > 0 || last.Volumes[name].Files == 0 {
			continue
		}
		if since[name] = u.Emptied[name]; since[name].IsZero() {
			since[name] = n.now()
		}
		if n.now().Sub(since[name]) < meant {
			wrongs = append(wrongs, fmt.Sprintf("%s had %d files in the last good snapshot and has none: earlier snapshots have them, and this is told until %s", name, last.Volumes[name].Files, since[name].Add(meant).UTC().Format(time.RFC3339)))
		}
	}
	u.Emptied = since
	if err := n.keepUp(u); err != nil {
		return err
	}
	if len(wrongs) > 0 {
		return wrongf("volumes are empty: %s", strings.Join(wrongs, "; "))
	}
	return nil
}

func (n *nightly) remember(now manifest) error { return writeJSON(below(n.State, manifestFile), now) }

// escaped has restic take a path for nothing but itself.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
