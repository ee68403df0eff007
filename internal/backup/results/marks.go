package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tarot-platform/internal/backup/place"
)

const (
	marksFile = "marks.jsonl"
	// dense is how long all marks stay; of older ones, one for each sparse.
	dense  = time.Hour
	sparse = 5 * time.Minute
)

// Marks are those of a folder, the oldest first. Lines that a crash has cut are left out.
func Marks(folder string) ([]Mark, error) {
	text, err := os.ReadFile(filepath.Join(folder, marksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []Mark
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var m Mark
		if json.Unmarshal(lines.Bytes(), &m) == nil && !m.At.IsZero() {
			found = append(found, m)
		}
	}
	return found, errors.Join(err, lines.Err())
}

// AddMark appends one. It is not waited for until it is on the disk: it says what is
// elsewhere, and the next one comes soon.
func AddMark(folder string, m Mark) error {
	m.Content = nil
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(folder, marksFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Close())
}

// ThinMarks leaves out what is not needed any more: marks older than the retention, and most
// of those that are older than an hour.
func ThinMarks(folder string, now time.Time, retention time.Duration) error {
	all, err := Marks(folder)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	var last time.Time
	for _, m := range all {
		if age := now.Sub(m.At); age > retention || age > dense && m.At.Sub(last) < sparse {
			continue
		}
		last = m.At
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		text.Write(append(line, '\n'))
	}
	return place.Replace(filepath.Join(folder, marksFile), text.Bytes(), 0o644)
}
