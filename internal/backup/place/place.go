// Package place is which history on the target a database writes. Each database that is
// another one has a number of its own there, db-1, db-2, …: litestream goes on under whatever
// it finds at its path, also where that is of another database, and says nothing.
package place

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Folder is where it is written down, beside the database; the lock is there, too.
const Folder = ".backup"

// file is its name there.
const file = "place.json"

// Place is the history that the database beside it writes.
type Place struct {
	// Path is its name on the target.
	Path string `json:"path"`
	// Stack and Target are whose target it is: Target is target.Target.ID.
	Stack  string `json:"stack"`
	Target string `json:"target"`
	// ID is the history's own, by chance.
	ID    string    `json:"id"`
	Began time.Time `json:"began"`
	// Written is true when something of the database is known to be there.
	Written bool `json:"written"`
}

// Path is the name of the history with this number.
func Path(n int) string { return "db-" + strconv.Itoa(n) }

// Number is the number of a history; 0: it is none.
func Number(path string) int {
	text, is := strings.CutPrefix(path, "db-")
	n, err := strconv.Atoi(text)
	if !is || err != nil || n < 1 || Path(n) != path {
		return 0
	}
	return n
}

// Read reads the place of the database beside the folder, and whether there is one. What
// can't be read is an error, and not none.
func Read(folder string) (Place, bool, error) {
	text, err := os.ReadFile(filepath.Join(folder, file))
	if errors.Is(err, fs.ErrNotExist) {
		return Place{}, false, nil
	}
	var p Place
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil && Number(p.Path) == 0 {
		err = fmt.Errorf("%q is no history", p.Path)
	}
	if err != nil {
		return Place{}, false, fmt.Errorf("%s: %w", filepath.Join(folder, file), err)
	}
	return p, true, nil
}

// Write writes it down, in one step that outlasts the machine's loss of power.
func Write(folder string, p Place) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return Replace(filepath.Join(folder, file), append(text, '\n'), 0o600)
}

// Replace writes a file by way of a new one beside it: it is whole, or as it was.
func Replace(path string, text []byte, mode os.FileMode) error {
	next, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = next.Write(text)
	if err == nil {
		err = next.Sync()
	}
	if err := errors.Join(err, next.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Found is what there is when a database is to be replicated.
type Found struct {
	// Place is what is written down beside it, where Has is true.
	Place Place
	Has   bool
	// Stack and Target are of where it is to go.
	Stack, Target string
	// Used are the numbers of the histories on the target.
	Used []int
	// Local is true where litestream's own state of the place is beside the database.
	Local bool
}

// Mine is true where the database has a place on this target.
func (f Found) Mine() bool { return f.Has && f.Place.Target == f.Target && f.Place.Stack == f.Stack }

// What is to be done.
type What int

// What there is to do.
const (
	Continue What = iota // the history that is there
	Begin                // another one
	Foreign              // nothing: the target has what this database does not know
)

// Decision is what is to be done with a history.
type Decision struct {
	What What
	// Number is the history's; with Foreign, the one that somebody may have begun.
	Number int
	// Why says it, for whoever reads the log.
	Why string
}

// Decide says which history a database writes. A database without a place is new, or not the
// one that it should be: a volume that is empty, another's, or one that was copied. It begins
// nothing beside what is there unasked, as whoever looks for the backups looks for the newest.
// A number that somebody may have written is never used again: what seems to be lost may be on
// a disk that is not mounted now.
func Decide(f Found) Decision {
	newest := 0
	if len(f.Used) > 0 {
		newest = slices.Max(f.Used)
	}
	switch {
	case f.Mine():
		n := Number(f.Place.Path)
		switch written := slices.Contains(f.Used, n); {
		case written && f.Local, !written && !f.Place.Written && newest < n:
			return Decision{Continue, n, ""}
		case written:
			return Decision{Begin, newest + 1, fmt.Sprintf("litestream's state beside the database is gone, without which it can't go on with %s", f.Place.Path)}
		case f.Place.Written:
			return Decision{Begin, max(newest, n) + 1, fmt.Sprintf("the target has lost %s: is it the right one, and mounted?", f.Place.Path)}
		}
		return Decision{Begin, newest + 1, fmt.Sprintf("%s was never written, and the target has a newer one", f.Place.Path)}
	case f.Has:
		return Decision{Begin, newest + 1, "it is another target"}
	case newest == 0:
		return Decision{Begin, 1, "the target is empty"}
	}
	return Decision{Foreign, newest + 1, fmt.Sprintf("the target has backups of another database (%s), and this one is new", Path(newest))}
}
