package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tarot-platform/internal/backup/place"
)

// The names of files beside the database, below place.Folder.
const (
	lockName    = "replicator.lock"
	refusedName = "refused.json"
)

// held is the error of a lock that somebody else has.
type held struct{ by string }

func (h held) Error() string { return "another one has the lock: " + h.by }

// holder is who has the lock, as it says itself.
type holder struct {
	Stack string    `json:"stack"`
	Host  string    `json:"host"` // in a container, its short id
	Since time.Time `json:"since"`
}

func (h holder) String() string {
	return fmt.Sprintf("stack %s, container or host %s, since %s", h.Stack, h.Host, h.Since.UTC().Format(time.RFC3339))
}

// takeLock takes the lock of the database in a folder, which lasts as long as a process has
// the file open: the kernel gives it back, however the last of them ends. It waits for it,
// and the error is held where that is in vain. tell is called once where it has to wait.
func takeLock(ctx context.Context, folder, stack string, patience time.Duration, tell func(by string)) (*os.File, error) {
	folder = filepath.Join(folder, place.Folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for end, told := time.Now().Add(patience), false; ; told = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("%s: %w", file.Name(), err), file.Close())
		}
		by := whoHolds(file)
		if !told {
			tell(by)
		}
		if !time.Now().Before(end) {
			return nil, errors.Join(held{by}, file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
	if !stillThere(file) { // somebody has removed it meanwhile, so that the next one would make another
		return nil, errors.Join(fmt.Errorf("%s was removed or replaced while it was waited for", file.Name()), file.Close())
	}
	host, _ := os.Hostname()
	text, err := json.Marshal(holder{stack, host, time.Now()})
	if err == nil {
		err = errors.Join(file.Truncate(0), second(file.WriteAt(append(text, '\n'), 0)))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func second(_ int, err error) error { return err }

// whoHolds is what the one that has the lock has written into its file.
func whoHolds(file *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 4096))
	var h holder
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		return "it does not say who it is"
	}
	return h.String()
}

// stillThere is true while the file's name means this file: a lock on one that was removed
// keeps nobody out.
func stillThere(file *os.File) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(file.Name())
	return err == nil && os.SameFile(mine, there)
}

// refusals are how often one was refused because another had the lock. It is written down
// beside the lock: the refused one has no life in which to tell.
type refusals struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
	By    string    `json:"by"`
}

func readRefusals(folder string) (r refusals) {
	text, err := os.ReadFile(filepath.Join(folder, place.Folder, refusedName))
	if err == nil {
		_ = json.Unmarshal(text, &r) // nobody has been refused for sure
	}
	return r
}

// addRefusal is done as far as it can be: it may be another user's folder.
func addRefusal(folder, by string) {
	r := readRefusals(folder)
	r.Count, r.Last, r.By = r.Count+1, time.Now(), strings.TrimSpace(by)
	if text, err := json.Marshal(r); err == nil {
		_ = place.Replace(filepath.Join(folder, place.Folder, refusedName), text, 0o600)
	}
}
