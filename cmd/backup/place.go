package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

// usualGap is how many numbers in a row have to be empty on a target that can't be listed as a
// whole before it is believed that none follows: somebody may have removed old ones.
const usualGap = 10

// prober finds the histories on a target.
type prober struct {
	litestream, work string
	settings         litestreamSettings
	target           target.Target
	gap              int // 0: the usual one
}

// histories are those from a number on, with the numbers that they have. What could not be
// asked is an error, and never an empty target.
func (p prober) histories(ctx context.Context, from int) (map[int]results.History, error) {
	if !p.target.Remote() {
		return foldersHistories(p.target.Folder())
	}
	found := map[int]results.History{}
	for n, empty := from, 0; empty < cmp.Or(p.gap, usualGap); n++ {
		h, err := p.history(ctx, n)
		if err != nil {
			return nil, err
		}
		if h.Last.IsZero() {
			empty++
			continue
		}
		found[n], empty = h, 0
	}
	return found, nil
}

// history is one of a target that is asked over the network; without files it has no times.
func (p prober) history(ctx context.Context, n int) (results.History, error) {
	h := results.History{Path: place.Path(n)}
	p.settings.Replica = p.target.Litestream(n)
	files, err := listFiles(ctx, p.litestream, p.work, p.settings)
	for _, f := range files {
		h.Add(f.Timestamp, f.Size)
	}
	return h, err
}

// foldersHistories are those of a target that is a folder here. Whatever is in one is taken
// for its files: it is not for us to say which of them count.
func foldersHistories(folder string) (map[int]results.History, error) {
	if _, err := os.Stat(filepath.Dir(folder)); err != nil {
		return nil, fmt.Errorf("the target is not there: %w", err)
	}
	found := map[int]results.History{}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		n := place.Number(entry.Name())
		if n == 0 {
			continue
		}
		h := results.History{Path: entry.Name()}
		err := filepath.WalkDir(filepath.Join(folder, entry.Name()), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return ignoreGone(err)
			}
			info, err := d.Info()
			if err == nil {
				h.Add(info.ModTime(), info.Size())
			}
			return ignoreGone(err)
		})
		if err != nil {
			return nil, err
		}
		if !h.Last.IsZero() {
			found[n] = h
		}
	}
	return found, nil
}

// ignoreGone: litestream removes files while they are looked at.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// metaPath is where litestream keeps its own state of a history.
func metaPath(folder string, n int) string {
	return filepath.Join(folder, place.Folder, fmt.Sprintf("meta-%d", n))
}

// hasState is true where litestream has files of its own there.
func hasState(meta string) (bool, error) {
	has := false
	err := filepath.WalkDir(meta, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return ignoreGone(err)
		}
		if d.Type().IsRegular() {
			has = true
			return fs.SkipAll
		}
		return nil
	})
	return has, err
}

// forget removes what is no longer needed of earlier histories, and returns those that it
// leaves: of a target that is a folder here, what was not written for the retention, but never
// the newest two; and litestream's state of what is no longer written.
func forget(folder string, t target.Target, found map[int]results.History, current int, retention time.Duration, now time.Time) ([]results.History, error) {
	var wrong []error
	newest := 0
	for n := range found {
		newest = max(newest, n)
	}
	var left []results.History
	for n := 1; n <= newest; n++ {
		h, is := found[n]
		if !is || n == current {
			continue
		}
		if !t.Remote() && n < newest-1 && n < current && now.Sub(h.Last) > retention {
			wrong = append(wrong, os.RemoveAll(filepath.Join(t.Folder(), h.Path)))
			continue
		}
		left = append(left, h)
	}
	metas, err := filepath.Glob(filepath.Join(folder, place.Folder, "meta-*"))
	wrong = append(wrong, err)
	for _, meta := range metas {
		info, err := os.Stat(meta)
		if err == nil && meta != metaPath(folder, current) && now.Sub(info.ModTime()) > retention {
			wrong = append(wrong, os.RemoveAll(meta))
		}
	}
	return left, errors.Join(wrong...)
}
