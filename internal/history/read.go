package history

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// parse reads entries; their ids order them.
func parse(found map[string]json.RawMessage) ([]Entry, error) {
	ids := slices.Sorted(maps.Keys(found))
	slices.Reverse(ids)
	all := make([]Entry, 0, len(ids))
	for _, id := range ids {
		var entry Entry
		if err := json.Unmarshal(found[id], &entry); err != nil {
			return nil, fmt.Errorf("the entry %s of the history: %w", id, err)
		}
		all = append(all, entry)
	}
	return all, nil
}

// Write writes entries for people.
func Write(to io.Writer, all []Entry) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHEN\tWHAT\tWHO\tCOMMIT\tRESULT\tTOOK\tRELEASE")
	for _, e := range all {
		fmt.Fprintln(table, strings.Join([]string{e.At.UTC().Format("2006-01-02 15:04:05"), e.what(), e.Name(), e.Revision(), e.Result, e.took(), e.release()}, "\t"))
	}
	return table.Flush()
}

func (e Entry) what() string {
	if e.Detail == "" {
		return e.Operation
	}
	return e.Operation + " " + e.Detail
}

func (e Entry) took() string {
	if e.Seconds == 0 {
		return "-"
	}
	took := time.Duration(e.Seconds * float64(time.Second))
	if took > time.Minute {
		took = took.Round(time.Second)
	}
	return took.String()
}

func (e Entry) release() string {
	if e.Why != "" {
		return strings.TrimSpace(e.From + " ! " + e.Why)
	}
	if e.From == e.To || e.From == "" || e.To == "" {
		return e.From + strings.TrimPrefix(e.To, e.From)
	}
	return e.From + " → " + e.To
}
