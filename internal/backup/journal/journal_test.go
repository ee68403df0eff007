package journal

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/durable"
)

func TestJournalIsReadAsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "restore.json")
	if _, there, err := Load(file); there || err != nil {
		t.Fatalf("before: %v, %v", there, err)
	}
	want := Journal{Run: "r1", Stage: Switching, Who: "ann@host", Driver: "d", Began: time.Unix(1, 0).UTC(), Want: Want{At: "latest", Only: Files},
		Stopped: []Stopped{{Workload: "backend", Name: "p-backend-1", ID: "c", Policy: "always", Serves: true}}, Moves: []Move{{"/a", "/b", true}}, Planned: true}
	if err := want.Save(file); err != nil {
		t.Fatal(err)
	}
	got, there, err := Load(file)
	if err != nil || !there || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v\n got %+v\nwant %+v", there, err, got, want)
	}
}

// "I could not read it" is not "there is none".
func TestJournalThatCanNotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "restore.json")
	for _, text := range []string{"", "{", `{"stage":"done"}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(file); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestMove(t *testing.T) {
	for _, c := range []struct {
		there, want string // the names that are there
		aside       bool
		err         string
	}{
		{there: "from", want: "to"},
		{there: "to", want: "to"},
		{there: "from to", want: "from to", err: "both are there"},
		{there: "", want: "", err: "neither is there"},
		{there: "from", aside: true, want: "to"},
		{there: "to", aside: true, want: "to"},
		{there: "from to", aside: true, want: "from to"}, // what was brought has the name by now
		{there: "", aside: true, want: "", err: "neither is there"},
	} {
		folder := t.TempDir()
		at := map[string]string{"from": filepath.Join(folder, "from"), "to": filepath.Join(folder, "deep", "to")}
		if err := os.Mkdir(filepath.Join(folder, "deep"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(c.there) {
			if err := os.WriteFile(at[name], []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := Move{at["from"], at["to"], c.aside}.Do()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v: %v", c, err)
		}
		var is []string
		for _, name := range []string{"from", "to"} {
			if there, err := durable.There(at[name]); err != nil {
				t.Fatal(err)
			} else if there {
				is = append(is, name)
			}
		}
		if strings.Join(is, " ") != c.want {
			t.Errorf("%+v: there are %v", c, is)
		}
	}
}

// A file takes the place of another, and that is gone through again after a crash at any time.
func TestMovesAreDoneAgain(t *testing.T) {
	for killed := range 3 {
		folder := t.TempDir()
		name := func(n string) string { return filepath.Join(folder, n) }
		for _, n := range []string{"live", "incoming"} {
			if err := os.WriteFile(name(n), []byte(n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		moves := []Move{{name("live"), name("aside"), true}, {name("incoming"), name("live"), false}}
		for _, m := range append(moves[:killed:killed], moves...) {
			if err := m.Do(); err != nil {
				t.Errorf("after %d: %v", killed, err)
			}
		}
		for n, want := range map[string]string{"live": "incoming", "aside": "live"} {
			if text, err := os.ReadFile(name(n)); string(text) != want {
				t.Errorf("after %d: %s is %q, %v", killed, n, text, err)
			}
		}
	}
}
