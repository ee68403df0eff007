// Package journal is what a restore writes down of itself, so that one that was killed at any
// moment can be finished or undone: how far it is, which programs it has stopped, and which
// files it moves.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tarot-platform/internal/backup/durable"
)

// Stage is how far a restore is. What it names is at work, or about to be.
type Stage string

// The stages, in order.
const (
	// Fetching: what is restored comes beside what is there, which goes on.
	Fetching Stage = "fetching"
	// Asked: it is there and good; whoever restores is asked.
	Asked Stage = "asked"
	// Stopping: the maintenance page comes, and what has the files open is stopped.
	Stopping Stage = "stopping"
	// Switching: files are moved.
	Switching Stage = "switching"
	// Checking: what is there now is looked at.
	Checking Stage = "checking"
	// Starting: what users ask is started and asked.
	Starting Stage = "starting"
	// Opening: all else is started, and the page goes.
	Opening Stage = "opening"
	// Done: nothing is open any more.
	Done Stage = "done"
)

// Kinds of what is restored.
const (
	Everything = ""
	Database   = "database"
	Files      = "files"
	Queue      = "queue"
)

// Want is what somebody has asked for.
type Want struct {
	// At is "latest", the id of a snapshot, or a moment (RFC 3339).
	At string `json:"at"`
	// Only is Everything, Database, Files or Queue.
	Only string `json:"only,omitempty"`
}

// Has is true where a kind is wanted.
func (w Want) Has(kind string) bool { return w.Only == Everything || w.Only == kind }

// Stopped is a program of the stack that a restore stops, and how it ran before.
type Stopped struct {
	// Workload is what the stack calls it, and Name the engine's name of its container or
	// service.
	Workload string `json:"workload"`
	Name     string `json:"name"`
	// ID is its container's; empty: it is a service of Swarm.
	ID string `json:"id,omitempty"`
	// Replicas are a service's, and Policy is when the engine starts a container by itself.
	Replicas int    `json:"replicas,omitempty"`
	Policy   string `json:"policy,omitempty"`
	// Serves is true for what has to be there before users are asked back.
	Serves bool `json:"serves,omitempty"`
}

// Journal is a restore.
type Journal struct {
	// Run is its name.
	Run string `json:"run"`
	// Stage is how far it is, and Back is true once it goes back.
	Stage Stage `json:"stage"`
	Back  bool  `json:"back,omitempty"`
	// Who has begun it, and Driver is the command that is at it now: an earlier one does
	// nothing more.
	Who    string    `json:"who"`
	Driver string    `json:"driver"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended,omitzero"`
	Want   Want      `json:"want"`
	// Found is what was fetched, as the command shows it.
	Found json.RawMessage `json:"found,omitempty"`
	// Stopped are in the order in which they are stopped.
	Stopped []Stopped `json:"stopped,omitempty"`
	// Moves bring what was fetched to its place, and Undo what was there back.
	Moves []Move `json:"moves,omitempty"`
	Undo  []Move `json:"undo,omitempty"`
	// Planned and UndoPlanned are true once these are complete.
	Planned     bool `json:"planned,omitempty"`
	UndoPlanned bool `json:"undoPlanned,omitempty"`
}

// Open is true while it has to be finished or undone.
func (j Journal) Open() bool { return j.Run != "" && j.Stage != Done }

// Load reads a journal; false where there is none.
func Load(file string) (Journal, bool, error) {
	var j Journal
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return j, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err == nil && j.Run == "" {
		err = errors.New("it names no run")
	}
	if err != nil {
		return j, false, fmt.Errorf("the journal of a restore, %s: %w", file, err)
	}
	return j, true, nil
}

// Save writes it in one step.
func (j *Journal) Save(file string) error {
	text, err := json.MarshalIndent(j, "", " ")
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(filepath.Dir(file)); err != nil {
		return err
	}
	return durable.Write(file, text, 0o640)
}

// Move gives a file or a folder another place on the same file system. A list of them is gone
// through again from its beginning after a crash, when a name may have another file than at
// first: what was there is aside by then, and what was brought has its name. So whether a move
// was done is told by that end of it which no other move of the list has.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Aside is true where To is the move's own: something is put out of the way. Otherwise From
	// is: something is brought.
	Aside bool `json:"aside,omitempty"`
}

// Done is true where it was done.
func (m Move) Done() (bool, error) {
	from, err := durable.There(m.From)
	if err != nil {
		return false, err
	}
	to, err := durable.There(m.To)
	if err == nil && !from && !to {
		err = fmt.Errorf("neither is there: %s, nor %s, where it is to go: something has removed it", m.From, m.To)
	}
	if m.Aside {
		return to, err
	}
	return !from, err
}

// Do does it, where it was not done. It replaces nothing: where the name is taken, somebody else
// was at the files.
func (m Move) Do() error {
	done, err := m.Done()
	if err != nil || done {
		return err
	}
	if err := durable.MkdirAll(filepath.Dir(m.To)); err != nil {
		return err
	}
	err = durable.Rename(m.From, m.To)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("both are there: %s, and %s, where it is to go: something has made it in the meantime. Move one of them away, and go on", m.From, m.To)
	}
	return err
}
