package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tarot-platform/internal/backup/postgres"
)

// Archive is one that can be asked.
type Archive struct {
	// Config is the file with its settings, and Include the folder with those that open it.
	Config, Include string
	// Server is the live one, and the user as whom all of it runs.
	Server postgres.Server
	// Version is the server's, such as 18.
	Version int
	// Program is pgBackRest; empty: PATH knows.
	Program string
}

// Failed is what pgBackRest has said.
type Failed struct{ Said string }

func (f Failed) Error() string { return "pgbackrest: " + f.Said }

// words are those of a command of pgBackRest's.
func (a Archive) words(words ...string) []string {
	program := a.Program
	if program == "" {
		program = "pgbackrest"
	}
	return append([]string{program, "--config=" + a.Config, "--config-include-path=" + a.Include, "--stanza=" + Stanza}, words...)
}

// Do runs one of pgBackRest's commands to its end; the last word is the command.
func (a Archive) Do(ctx context.Context, words ...string) (string, error) {
	all := a.words(words...)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &said, "/"
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if a.Server.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.Server.As}
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if errors.As(err, new(*exec.ExitError)) {
		return out.String(), Failed{shortened(said.String() + out.String())} // of settings that it can't read it tells there
	}
	return out.String(), err
}

// shortened is what a person needs of a log.
func shortened(said string) string {
	var all []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if _, text, is := strings.Cut(line, "ERROR: "); is {
			all = append(all, text)
		} else if len(all) > 0 && line != "" {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return strings.TrimSpace(said)
	}
	return strings.Join(all[:min(len(all), 6)], "; ")
}

// Backup is a copy of the whole, or of what has changed since one.
type Backup struct {
	Label string
	Full  bool
	// Cluster is what the archive calls the database of the time, such as 18-1.
	Cluster string
	// From and To are when it was begun and was whole, and Timeline and Stop where it is in the log.
	From, To time.Time
	Timeline uint32
	Stop     uint64
	// Bytes are the database's, and Added what the repository got for it.
	Bytes, Added int64
}

// info is pgBackRest's answer.
type info struct {
	Backup []struct {
		Archive  struct{ Start, Stop string }
		Database struct{ ID int }
		Info     struct {
			Size       int64
			Repository struct{ Delta int64 }
		}
		Label, Type string
		LSN         struct{ Stop string }
		Timestamp   struct{ Start, Stop int64 }
		Error       bool
	}
	DB []struct {
		ID      int
		Version string
		System  uint64 `json:"system-id"`
	}
	Repo []struct {
		Status struct {
			Code    int
			Message string
		}
	}
}

// other is a status of pgBackRest's that says that it could not ask.
const other = 99

// Backups are all that there are, the oldest first; newest is the version of the database that is archived
// now, and 0 where there is none yet.
func (a Archive) Backups(ctx context.Context) (all []Backup, newest int, err error) {
	text, err := a.Do(ctx, "--output=json", "info")
	if err != nil {
		return nil, 0, err
	}
	var found []info
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found) != 1 {
		return nil, 0, fmt.Errorf("pgbackrest info: %w: %s", errors.Join(err, errors.New("an answer of another kind")), text)
	}
	for _, repo := range found[0].Repo {
		if repo.Status.Code == other {
			return nil, 0, Failed{repo.Status.Message}
		}
	}
	versions := map[int]string{}
	for _, db := range found[0].DB {
		versions[db.ID] = db.Version
		newest, _ = strconv.Atoi(db.Version)
	}
	for _, b := range found[0].Backup {
		if b.Error { // pages of it were damaged in the server already
			continue
		}
		one := Backup{Label: b.Label, Full: b.Type == "full", Cluster: fmt.Sprintf("%s-%d", versions[b.Database.ID], b.Database.ID), From: time.Unix(b.Timestamp.Start, 0).UTC(),
			To: time.Unix(b.Timestamp.Stop, 0).UTC(), Bytes: b.Info.Size, Added: b.Info.Repository.Delta}
		var wrong error
		if one.Timeline, err = timeline(b.Archive.Stop); err != nil {
			wrong = err
		}
		if one.Stop, err = ParseLSN(b.LSN.Stop); err != nil || wrong != nil {
			return nil, 0, fmt.Errorf("pgbackrest info: backup %s: %w", b.Label, errors.Join(wrong, err))
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(x, y Backup) int { return x.To.Compare(y.To) })
	return all, newest, nil
}

// timeline is that of a segment of the log.
func timeline(segment string) (uint32, error) {
	if len(segment) < 8 {
		return 0, fmt.Errorf("%q is no segment of a log", segment)
	}
	n, err := strconv.ParseUint(segment[:8], 16, 32)
	return uint32(n), err
}

// ParseLSN reads a place in the log, such as 0/3000050.
func ParseLSN(text string) (uint64, error) {
	high, low, _ := strings.Cut(text, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if err := errors.Join(err, err2); err != nil {
		return 0, fmt.Errorf("%q is no place in a log", text)
	}
	return h<<32 | l, nil
}
