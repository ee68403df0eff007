package inside

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/valkey"
	"tarot-platform/internal/restore/task"
)

var errNoQueue = errors.New("this stack has no queue that is backed up: cache.profile is not queue, or backup.enabled is false")

// queue makes of the copy of a queue that was fetched what its server is to find; nil: none was made
// by the time of the snapshot.
func (r *Room) queue(v task.Volume, folder string) (*task.FoundQueue, error) {
	m, err := valkey.Read(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := valkey.Whole(folder, m); err != nil {
		return nil, err
	}
	log := filepath.Join(folder, v.Queue)
	if err := durable.MkdirAll(log); err != nil {
		return nil, err
	}
	if err := os.Chmod(log, 0o755); err != nil { //nolint:gosec // as the server's own
		return nil, err
	}
	return &task.FoundQueue{Moment: m.At, Keys: m.All()}, valkey.Put(filepath.Join(folder, m.File), log)
}
