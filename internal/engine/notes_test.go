package engine

import (
	"reflect"
	"strings"
	"testing"
)

func TestNotesOfAnOperation(t *testing.T) {
	api := &fakeAPI{}
	e := &Engine{api: api}
	for range 2 { // the same once more is no error
		if err := e.Note(t.Context(), "p-s", "r1", "copied", map[string]string{"rows": "3"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Note(t.Context(), "p-s", "r1", "copied", map[string]string{"rows": "4"}); err == nil || !strings.Contains(err.Error(), "p-s-operation-r1-copied") {
		t.Errorf("another one of the name: %v", err)
	}
	for _, other := range [][3]string{{"p-s", "r2", "quiet"}, {"p-t", "r1", "copied"}} {
		if err := e.Note(t.Context(), other[0], other[1], other[2], nil); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := e.Notes(t.Context(), "p-s", "r1"); err != nil || !reflect.DeepEqual(all, map[string]map[string]string{"copied": {"rows": "3"}}) {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := e.Notes(t.Context(), "p-s", ""); err != nil || !reflect.DeepEqual(all, map[string]map[string]string{"r1 copied": {"rows": "3"}, "r2 quiet": {}}) {
		t.Errorf("of all runs: %v, %v", all, err)
	}
	for range 2 {
		if err := e.RemoveNote(t.Context(), "p-s", "r1", "copied"); err != nil {
			t.Error(err)
		}
	}
	if all, err := e.Notes(t.Context(), "p-s", "r1"); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}
