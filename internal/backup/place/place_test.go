package place

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	mine := Place{Path: "db-2", Stack: "s", Target: "t", Written: true}
	fresh := mine
	fresh.Written = false
	for name, test := range map[string]struct {
		found Found
		what  What
		n     int
	}{
		"new, and so is the target":                       {Found{}, Begin, 1},
		"new, and the target is used":                     {Found{Used: []int{1}}, Foreign, 2},
		"new, and old ones were removed":                  {Found{Used: []int{7, 5}}, Foreign, 8},
		"it goes on":                                      {Found{Place: mine, Has: true, Used: []int{1, 2}, Local: true}, Continue, 2},
		"it goes on beside newer ones: restored back":     {Found{Place: mine, Has: true, Used: []int{2, 3}, Local: true}, Continue, 2},
		"litestream's state is gone":                      {Found{Place: mine, Has: true, Used: []int{2}}, Begin, 3},
		"its state is gone, and there are newer":          {Found{Place: mine, Has: true, Used: []int{2, 4}}, Begin, 5},
		"the target has lost it":                          {Found{Place: mine, Has: true, Local: true}, Begin, 3},
		"the target has lost it, and its state is gone":   {Found{Place: mine, Has: true, Used: []int{1}}, Begin, 3},
		"written down, and killed before anything else":   {Found{Place: fresh, Has: true, Used: []int{1}}, Continue, 2},
		"killed before anything was known to be there":    {Found{Place: fresh, Has: true, Used: []int{1}, Local: true}, Continue, 2},
		"killed before it was known that it is there":     {Found{Place: fresh, Has: true, Used: []int{2}, Local: true}, Continue, 2},
		"another one has written its number":              {Found{Place: fresh, Has: true, Used: []int{1, 2}}, Begin, 3},
		"never written, and the target has a newer one":   {Found{Place: fresh, Has: true, Used: []int{3}}, Begin, 4},
		"another target, an empty one":                    {Found{Place: Place{Path: "db-2", Stack: "s", Target: "old"}, Has: true, Local: true}, Begin, 1},
		"another target, that was used":                   {Found{Place: Place{Path: "db-2", Stack: "s", Target: "old"}, Has: true, Used: []int{1, 2}}, Begin, 3},
		"another stack's volume: a copy, or a name anew":  {Found{Place: Place{Path: "db-2", Stack: "old", Target: "t"}, Has: true, Used: []int{1}}, Begin, 2},
		"another stack's volume, and its state came with": {Found{Place: Place{Path: "db-2", Stack: "old", Target: "t"}, Has: true, Used: []int{2}, Local: true}, Begin, 3},
	} {
		test.found.Stack, test.found.Target = "s", "t"
		d := Decide(test.found)
		if d.What != test.what || d.Number != test.n {
			t.Errorf("%s: %v %d (%s), want %v %d", name, d.What, d.Number, d.Why, test.what, test.n)
		}
		if (d.Why == "") != (d.What == Continue) {
			t.Errorf("%s: says %q", name, d.Why)
		}
	}
}

// Whatever is found, nothing that somebody has written is begun anew.
func TestNothingIsWrittenThatIsAnothers(t *testing.T) {
	for bits := range 1 << 9 {
		is := func(n int) bool { return bits>>n&1 == 1 }
		f := Found{Has: is(0), Local: is(1), Stack: "s", Target: "t", Place: Place{Path: "db-2", Stack: "s", Target: "t", Written: is(2)}}
		if is(3) {
			f.Place.Target = "other"
		}
		for n := 1; n <= 5; n++ {
			if is(3 + n) {
				f.Used = append(f.Used, n)
			}
		}
		d := Decide(f)
		used := map[int]bool{}
		for _, n := range f.Used {
			used[n] = true
		}
		if d.What != Continue && used[d.Number] || d.What == Continue && (!f.Mine() || used[d.Number] && !f.Local) {
			t.Errorf("%+v: %+v", f, d)
		}
	}
}

func TestAPlaceIsReadAsItWasWritten(t *testing.T) {
	folder := filepath.Join(t.TempDir(), Folder)
	if _, has, err := Read(folder); has || err != nil {
		t.Errorf("none: %v, %v", has, err)
	}
	p := Place{Path: "db-3", Stack: "s", Target: "t", ID: "x", Began: time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC), Written: true}
	if err := Write(folder, p); err != nil {
		t.Fatal(err)
	}
	if got, has, err := Read(folder); !has || err != nil || got != p {
		t.Errorf("%+v, %v, %v", got, has, err)
	}
	if names, _ := filepath.Glob(folder + "/*"); len(names) != 1 {
		t.Errorf("it leaves %v", names)
	}
}

// What can't be read is not a database without a place.
func TestAPlaceThatCanNotBeRead(t *testing.T) {
	for _, text := range []string{"", "{", `{"path":"db-0"}`, `{"path":"db-01"}`, `{"path":"../db-1"}`, `{}`} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, has, err := Read(folder); err == nil || has || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v, %v", text, has, err)
		}
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, file), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(folder); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder: %v", err)
	}
}
