package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func line(n int) (string, json.RawMessage) {
	return fmt.Sprintf("2026-%04d", n), json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))
}

// Everything that is kept is read once, and hundreds of entries are few volumes.
func TestTheHistoryIsBoundedAndWhole(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api}
	const written = 700
	for n := range written {
		id, text := line(n)
		if err := e.WriteHistory(t.Context(), "p-s", id, text); err != nil {
			t.Fatal(err)
		}
		all, err := e.History(t.Context(), "p-s")
		if err != nil || len(all) < min(n+1, keptEntries) || len(all) > keptEntries+pageEntries {
			t.Fatalf("after %d: %d entries, %v", n+1, len(all), err)
		}
		for i := n; i > n-min(n+1, keptEntries); i-- {
			if id, want := line(i); string(all[id]) != string(want) {
				t.Fatalf("after %d: %s is %s", n+1, id, all[id])
			}
		}
	}
	if len(api.volumes) > 2+keptEntries/pageEntries+looseEntries {
		t.Errorf("%d volumes", len(api.volumes))
	}
	if all, err := e.History(t.Context(), "p-t"); err != nil || len(all) > 0 {
		t.Errorf("another stack's: %v, %v", all, err)
	}
}

// Whoever was killed when a page was there leaves its entries in both, and one entry is read once.
func TestAFoldThatWasKilledLosesNothing(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api}
	for n := range looseEntries - 1 {
		id, text := line(n)
		if err := e.WriteHistory(t.Context(), "p-s", id, text); err != nil {
			t.Fatal(err)
		}
	}
	before := append([]string{}, names(api)...)
	id, text := line(looseEntries - 1)
	if err := e.WriteHistory(t.Context(), "p-s", id, text); err != nil {
		t.Fatal(err)
	}
	if len(names(api)) >= len(before) {
		t.Fatalf("no page is made: %d volumes", len(names(api)))
	}
	for n := range pageEntries / 2 { // as if some were not removed
		id, text := line(n)
		if err := e.writePage(t.Context(), "p-s", "p-s-history-"+id, page{first: id, entries: map[string]json.RawMessage{id: text}}); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := e.History(t.Context(), "p-s"); err != nil || len(all) != looseEntries {
		t.Errorf("%d entries, %v", len(all), err)
	}
}

func names(api *fakeAPI) (all []string) {
	for _, v := range api.volumes {
		all = append(all, v.Name)
	}
	return all
}

func TestAHistoryThatCanNotBeReadIsNotEmpty(t *testing.T) {
	api := &fakeAPI{failure: errors.New("no answer")}
	e := &Engine{api: api}
	if _, err := e.History(t.Context(), "p-s"); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Error(err)
	}
	if err := e.WriteHistory(t.Context(), "p-s", "1", json.RawMessage(`{}`)); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Error(err)
	}
}
