// Package task is what `stack restore` and its one-off containers say to each other: the
// command knows the stack and asks whoever restores, a container has the volumes.
package task

import (
	"path"
	"regexp"
	"time"

	"tarot-platform/internal/backup/journal"
)

// The places in a one-off container.
const (
	// Volumes has each volume by its name, State is the volume of the backup's state.
	Volumes = "/volumes"
	State   = "/state"
	// File is the request.
	File = "/run/restore/request.json"
	// Secrets is what opens the target, a file each.
	Secrets = "/run/restore/secrets"
	// Tools has the helper and litestream, Target is a target that is a volume or a folder, and
	// Out is where Extract leaves what it has fetched.
	Tools  = "/run/backup"
	Target = "/target"
	Out    = "/restored"
	// Opened is where the helper puts what opens the archive, for the server's user.
	Opened = "/tmp/archive"
)

// Volume is one with what is restored.
type Volume struct {
	// Name is what snapshots call it, and Engine the engine.
	Name   string `json:"name"`
	Engine string `json:"engine"`
	// Gains is true for one in which nothing is replaced: what is missing is added. What is in
	// there belongs to the release that runs, which a snapshot may not know.
	Gains bool `json:"gains,omitempty"`
	// Queue is the one folder in there that is restored, where that is a queue's: what is backed up is
	// a copy that a server is to find there in place of its own files. Empty: it is none.
	Queue string `json:"queue,omitempty"`
}

// Database is a file in one of the volumes.
type Database struct {
	Volume string `json:"volume"`
	// File is its path in there, and Live where the application has it.
	File string `json:"file"`
	Live string `json:"live"`
}

// Server is a PostgreSQL of the stack's own.
type Server struct {
	// Database is what is restored, and Owner the role that all in it belongs to.
	Database string `json:"database"`
	Owner    string `json:"owner"`
	// Volume is one for copies of it, and UID and GID the server's user.
	Volume string `json:"volume"`
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	// Programs is the folder with the server's programs, and Socket that with its socket.
	Programs string `json:"programs"`
	Socket   string `json:"socket"`
	// Name is what the stack calls the server, Version its version, Data the volume with its data, and
	// Accounts the job that tells it of the accounts that there are now.
	Name     string `json:"name"`
	Version  int    `json:"version"`
	Data     string `json:"data"`
	Accounts string `json:"accounts"`
	// Archive are pgBackRest's settings; empty: what is written is not archived.
	Archive string `json:"archive,omitempty"`
}

var snapshotID = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// Archived is true where what is wanted of the database is in the archive, and not in a snapshot.
func (s *Server) Archived(want journal.Want) bool {
	return s != nil && s.Archive != "" && want.Has(journal.Database) && !snapshotID.MatchString(want.At)
}

// Request is what a one-off is asked to do.
type Request struct {
	Run    string       `json:"run"`
	Driver string       `json:"driver"`
	Who    string       `json:"who"`
	Stack  string       `json:"stack"`
	Want   journal.Want `json:"want"`
	// Volumes are all that are backed up; Database is nil where it is in none of them.
	Volumes  []Volume  `json:"volumes"`
	Database *Database `json:"database,omitempty"`
	// Server is where the database is instead; nil: in no server of the stack's.
	Server *Server `json:"server,omitempty"`
	// Exclude are the paths that backups leave out, below a volume's folder: they stay.
	Exclude []string `json:"exclude,omitempty"`
	// Stopped is for Note.
	Stopped []journal.Stopped `json:"stopped,omitempty"`
	// Kept names the run whose replaced files are to go, for Forget.
	Kept string `json:"kept,omitempty"`
	// Smoke is asked by the smoke test.
	Smoke Smoke `json:"smoke,omitzero"`
	// Target and Files are where the database and the files are backed up: words for the helper's
	// own flags. Litestream is its program.
	Target     []string `json:"target,omitempty"`
	Files      []string `json:"files,omitempty"`
	Litestream string   `json:"litestream,omitempty"`
}

// Smoke is what an application has to answer at an address.
type Smoke struct {
	Base    string            `json:"base"`
	Connect string            `json:"connect,omitempty"`
	Header  map[string]string `json:"header,omitempty"`
	Health  string            `json:"health"`
	Read    string            `json:"read,omitempty"`
	Write   string            `json:"write,omitempty"`
	Body    string            `json:"body,omitempty"`
	Admin   string            `json:"admin,omitempty"`
	Within  time.Duration     `json:"within"`
}

// Wanted is true where what is restored has something of the volume.
func (v Volume) Wanted(want journal.Want) bool {
	if v.Queue != "" {
		return want.Has(journal.Queue)
	}
	return want.Has(journal.Files)
}

// Wanted are the volumes of which what is restored has something.
func (r Request) Wanted(want journal.Want) (all []Volume) {
	for _, v := range r.Volumes {
		if v.Wanted(want) {
			all = append(all, v)
		}
	}
	return all
}

// Folder is where a volume is in the container.
func (v Volume) Folder() string { return path.Join(Volumes, v.Name) }

// Found is what was fetched, beside what is there.
type Found struct {
	// Database is nil where it was not asked for, or there is none.
	Database *FoundDatabase `json:"database,omitempty"`
	// Snapshot is where the files are from, and Taken when it was made; empty: no files.
	Snapshot string    `json:"snapshot,omitempty"`
	Taken    time.Time `json:"taken,omitzero"`
	// Queue is nil where it was not asked for, or the snapshot has none.
	Queue *FoundQueue `json:"queue,omitempty"`
	// Volumes are those with files, and Exclude are the patterns of what was left out of them when
	// they were backed up.
	Volumes []FoundVolume `json:"volumes,omitempty"`
	Exclude []string      `json:"exclude,omitempty"`
}

// FoundDatabase is the database that was fetched, and the one that is there.
type FoundDatabase struct {
	// From is the history on the target, or the snapshot.
	From string `json:"from"`
	// Moment is of which time it is, and Exact within what.
	Moment time.Time     `json:"moment"`
	Exact  time.Duration `json:"exact"`
	Bytes  int64         `json:"bytes"`
	// Rows are those of each table, of what was fetched and of what is there; no Live: there is
	// no database, or it can't be read, which Unreadable says.
	Rows       map[string]int64 `json:"rows"`
	Live       map[string]int64 `json:"live,omitempty"`
	Unreadable string           `json:"unreadable,omitempty"`
	// Written is when the one that is there was written last.
	Written time.Time `json:"written,omitzero"`
	// Broken are references to rows that are not there, of both.
	Broken     int `json:"broken,omitempty"`
	LiveBroken int `json:"liveBroken,omitempty"`
	// Migrate is true where its tables are others than those of the release that runs.
	Migrate bool `json:"migrate,omitempty"`
	// Next is the history that it begins; empty: it has none.
	Next string `json:"next,omitempty"`
	// Unarchived says why what was written last may not be in the archive; empty: it is.
	Unarchived string `json:"unarchived,omitempty"`
	// Grants says which could not be made, as their roles are not there any more.
	Grants string `json:"grants,omitempty"`
}

// FoundQueue is the copy of a queue that was fetched.
type FoundQueue struct {
	// Moment is of which time it is, and Keys how many it holds.
	Moment time.Time `json:"moment"`
	Keys   int64     `json:"keys"`
}

// FoundVolume is what becomes of a volume's files.
type FoundVolume struct {
	Name string `json:"name"`
	// Replaced are files that are there and in the backup, Gone those that only are there, and
	// Added those that only are in the backup.
	Replaced int `json:"replaced"`
	Gone     int `json:"gone"`
	Added    int `json:"added"`
	// Names are a few of those that go.
	Names []string `json:"names,omitempty"`
}

// Answer is what a one-off says when it has ended well.
type Answer struct {
	// Journal is the restore as it is now; an empty one where none is open.
	Journal journal.Journal `json:"journal"`
	// Kept are restores whose replaced files are still there.
	Kept []Kept `json:"kept,omitempty"`
}

// Kept is what a restore has put aside.
type Kept struct {
	Run   string `json:"run"`
	Bytes int64  `json:"bytes"`
}
