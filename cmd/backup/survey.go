package main

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/sqlite"
)

const (
	// samples is how many files are compared with what is in the snapshot.
	samples = 20
	// sampleSize is the size up to which a file is compared.
	sampleSize = 16 << 20
)

// counted is what a volume holds, without the database and the backup's own.
type counted struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// seen is a file as it was.
type seen struct {
	path    string
	size    int64
	changed time.Time
}

// surveyed is what there is to back up.
type surveyed struct {
	manifest manifest
	// databases are files of SQLite's beside the database.
	databases []string
	// sample are some files by chance.
	sample []seen
}

// survey looks through the volumes. What can not be read is restic's to tell.
func (n *nightly) survey() (surveyed, error) {
	found := surveyed{manifest: manifest{At: n.now().UTC(), Stack: n.Target.Stack, Source: n.Source, Exclude: n.Exclude, Volumes: map[string]counted{}}}
	release, err := os.ReadFile(below(n.State, releaseFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	found.manifest.Release = strings.TrimSpace(string(release))
	volumes, err := os.ReadDir(n.Source)
	if err != nil {
		return found, err
	}
	files := 0
	for _, volume := range volumes {
		count := counted{}
		err := filepath.WalkDir(below(n.Source, volume.Name()), func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
				return nil
			case err != nil:
				return err
			case d.IsDir() && n.leftOut(path):
				return fs.SkipDir
			case !d.Type().IsRegular() || n.leftOut(path):
				return nil
			}
			info, err := d.Info()
			if err != nil { // gone meanwhile
				return nil //nolint:nilerr // as above
			}
			count.Files++
			count.Bytes += info.Size()
			if is, err := sqlite.Is(path); err == nil && is {
				found.databases = append(found.databases, path)
				return nil // its file and its copy differ
			}
			if info.Size() > sampleSize || isLog(path) {
				return nil
			}
			// Each of all files has the same chance.
			files++
			file := seen{path, info.Size(), info.ModTime()}
			if len(found.sample) < samples {
				found.sample = append(found.sample, file)
			} else if i := rand.IntN(files); i < samples {
				found.sample[i] = file
			}
			return nil
		})
		if err != nil {
			return found, err
		}
		found.manifest.Volumes[volume.Name()] = count
	}
	return found, nil
}

// endings are those of the files that SQLite has beside a database.
var endings = []string{"-wal", "-shm", "-journal"}

func isLog(path string) bool {
	return slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(path, ending) })
}

// leftOut is the database, of which there is a copy, and what the backup itself keeps beside it.
func (n *nightly) leftOut(path string) bool {
	if filepath.Base(path) == place.Folder && filepath.Dir(filepath.Dir(path)) == filepath.Clean(n.Source) {
		return true
	}
	return n.Database != "" && slices.Contains(databaseFiles(n.Database), path)
}

func databaseFiles(file string) []string {
	all := []string{file}
	for _, ending := range endings {
		all = append(all, file+ending)
	}
	return all
}
