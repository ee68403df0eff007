// Package valkey copies what a Valkey holds, while it is used, and has another one stand on that.
//
// A copy is what a replica gets (RDB). The files that the server itself writes (AOF) are appended
// to and renamed all the time: copied one after the other they are no copy.
package valkey

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/newest"
)

const ending = ".rdb"

// Manifest says what a copy holds.
type Manifest struct {
	// At is the moment of the copy, and Took how long it was made.
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took"`
	// File is the copy, beside the manifest.
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Keys
}

// Keys are how many there are.
type Keys struct {
	// Lasting stay, and Passing go by themselves.
	Lasting int64 `json:"lasting"`
	Passing int64 `json:"passing"`
}

// All are both.
func (k Keys) All() int64 { return k.Lasting + k.Passing }

// Copy copies all that a server holds into a folder, which holds the one newest copy after it. One
// that is ended at any moment, or fails, leaves what was there. Checker is valkey-check-rdb.
func (s Server) Copy(ctx context.Context, checker, folder string) (m Manifest, err error) {
	last, err := Read(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if err := newest.Room(folder, last.Bytes*12/10); err != nil {
		return m, err
	}
	m = Manifest{At: time.Now().UTC()}
	m.File = "queue-" + m.At.Format("20060102T150405Z") + ending
	file := filepath.Join(folder, m.File+newest.Unwhole)
	defer func() { err = errors.Join(err, durable.RemoveAll(file)) }()
	if err := s.into(ctx, file); err != nil {
		return m, err
	}
	if m.Keys, err = count(ctx, checker, file); err != nil {
		return m, fmt.Errorf("the copy that was just made is none: %w", err)
	}
	if m.Bytes, m.SHA256, err = newest.Sum(file); err != nil {
		return m, err
	}
	m.Took = time.Since(m.At).Round(time.Millisecond)
	return m, newest.Replace(ctx, folder, file, ending, m)
}

func (s Server) into(ctx context.Context, file string) error {
	c, end, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer end()
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	to := bufio.NewWriterSize(out, 1<<20)
	err = c.fetch(to)
	if ctx.Err() != nil {
		err = Unanswered{ctx.Err()}
	}
	return errors.Join(err, to.Flush(), out.Close())
}

// checked are the figures that valkey-check-rdb prints.
var checked = regexp.MustCompile(`(?m)^\[info\] (\d+) (keys read|expires|already expired)\r?$`)

// count has the server's own program read a copy to its end, with its checksum.
func count(ctx context.Context, checker, file string) (k Keys, err error) {
	out, err := exec.CommandContext(ctx, checker, file).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return k, fmt.Errorf("%s: %w: %s", filepath.Base(checker), err, lines[len(lines)-1])
	}
	figures := map[string]int64{}
	for _, found := range checked.FindAllStringSubmatch(string(out), -1) {
		if figures[found[2]], err = strconv.ParseInt(found[1], 10, 64); err != nil {
			return k, err
		}
	}
	all, told := figures["keys read"]
	passing, toldToo := figures["expires"]
	if !told || !toldToo || passing > all {
		return k, fmt.Errorf("%s does not say how many keys there are: %s", filepath.Base(checker), out)
	}
	return Keys{Lasting: all - passing, Passing: passing}, nil
}

// Read is the manifest of the copy in a folder; fs.ErrNotExist: there is none.
func Read(folder string) (m Manifest, err error) {
	name := filepath.Join(folder, newest.ManifestFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if m.At.IsZero() || m.File == "" || filepath.Base(m.File) != m.File {
		return m, fmt.Errorf("%s says no moment and no file", name)
	}
	return m, nil
}

// Whole is an error where the copy in a folder is not the one that was made.
func Whole(folder string, m Manifest) error {
	_, hash, err := newest.Sum(filepath.Join(folder, m.File))
	if err == nil && hash != m.SHA256 {
		err = errors.New("its hash differs")
	}
	if err != nil {
		return fmt.Errorf("the copy of the queue is not the one that was made: %w", err)
	}
	return nil
}
