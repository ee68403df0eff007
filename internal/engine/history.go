package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// What was done with a stack is written down in the engine, so that everybody sees it who has the
// engine: an empty volume with labels, as a release's record is. Each entry is one of its own at
// first, which two may write at a time; many are put together as a page, or there would be hundreds of volumes.
const (
	historyLabel = "tarot.history" // the id of the first entry
	entriesLabel = "tarot.entries" // the entries by their ids, as JSON

	// keptEntries is how many are kept, at least; pageEntries are a page, once looseEntries are
	// none of any.
	keptEntries  = 500
	pageEntries  = 25
	looseEntries = 30
)

// page is a volume with entries.
type page struct {
	volume  string
	first   string
	entries map[string]json.RawMessage
}

// WriteHistory writes an entry down. Ids order entries by time.
func (e *Engine) WriteHistory(ctx context.Context, prefix, id string, entry json.RawMessage) error {
	if err := e.writePage(ctx, prefix, prefix+"-history-"+id, page{first: id, entries: map[string]json.RawMessage{id: entry}}); err != nil {
		return err
	}
	pages, err := e.pages(ctx, prefix)
	if err != nil {
		return err
	}
	if pages, err = e.foldHistory(ctx, prefix, pages); err != nil {
		return err
	}
	return e.cutHistory(ctx, pages)
}

// History are the entries, by their ids.
func (e *Engine) History(ctx context.Context, prefix string) (map[string]json.RawMessage, error) {
	pages, err := e.pages(ctx, prefix)
	all := map[string]json.RawMessage{}
	for _, p := range pages { // an entry is in two for a moment
		maps.Copy(all, p.entries)
	}
	return all, err
}

// pages are all that there are, the earliest first.
func (e *Engine) pages(ctx context.Context, prefix string) ([]page, error) {
	found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", historyLabel))})
	if err != nil {
		return nil, fmt.Errorf("the history of %s: %w", prefix, err)
	}
	var all []page
	for _, v := range found.Volumes {
		p := page{volume: v.Name, first: v.Labels[historyLabel]}
		if err := json.Unmarshal([]byte(v.Labels[entriesLabel]), &p.entries); err != nil {
			return nil, fmt.Errorf("the history of %s: the volume %s: %w", prefix, v.Name, err)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b page) int { return strings.Compare(a.first, b.first) })
	return all, nil
}

// writePage writes one. It is an error where there is another one of the name.
func (e *Engine) writePage(ctx context.Context, prefix, name string, p page) error {
	text, err := json.Marshal(p.entries)
	if err != nil {
		return err
	}
	made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{StackLabel: prefix, historyLabel: p.first, entriesLabel: string(text)}})
	if err == nil && made.Labels[entriesLabel] != string(text) {
		err = fmt.Errorf("the volume %s says something else", name)
	}
	if err != nil {
		return fmt.Errorf("the history of %s: %w", prefix, err)
	}
	return nil
}

// foldHistory makes a page of the earliest loose entries. They go when it is there: whoever is killed
// in between leaves them in both, and reads each once.
func (e *Engine) foldHistory(ctx context.Context, prefix string, pages []page) ([]page, error) {
	var loose []page
	for _, p := range pages {
		if len(p.entries) == 1 {
			loose = append(loose, p)
		}
	}
	if len(loose) < looseEntries {
		return pages, nil
	}
	loose = loose[:pageEntries]
	folded := page{volume: prefix + "-history-" + loose[0].first + "-page", first: loose[0].first, entries: map[string]json.RawMessage{}}
	for _, p := range loose {
		maps.Copy(folded.entries, p.entries)
	}
	if err := e.writePage(ctx, prefix, folded.volume, folded); err != nil {
		return pages, err
	}
	gone := map[string]bool{}
	for _, p := range loose {
		if err := e.removeVolume(ctx, p.volume); err != nil {
			return pages, err
		}
		gone[p.volume] = true
	}
	pages = slices.DeleteFunc(pages, func(p page) bool { return gone[p.volume] })
	pages = append(pages, folded)
	slices.SortFunc(pages, func(a, b page) int { return strings.Compare(a.first, b.first) })
	return pages, nil
}

// cutHistory removes the earliest pages that are too many.
func (e *Engine) cutHistory(ctx context.Context, pages []page) error {
	total := 0
	for _, p := range pages {
		total += len(p.entries)
	}
	for _, p := range pages {
		if total -= len(p.entries); total < keptEntries {
			return nil
		}
		if err := e.removeVolume(ctx, p.volume); err != nil {
			return err
		}
	}
	return nil
}
