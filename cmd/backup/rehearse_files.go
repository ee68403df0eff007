package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarot-platform/internal/backup/newest"
	"tarot-platform/internal/backup/seal"
)

// roomFolder is in the scratch: what is not the application's.
const roomFolder = ".rehearsal"

// nightly restores the newest snapshot that is whole, and looks whether it holds what was written
// down. What the database's volume holds beside the database goes to where the application looks
// for it. It returns the copy of the database, nil: there is none in the snapshot.
func (h *rehearsal) nightly(ctx context.Context) (id string, dump *database, m manifest, err error) {
	release, err := alone(ctx, below(h.State, filesLock), h.Busy)
	if errors.Is(err, errTaken) {
		return "", nil, m, fmt.Errorf("the nightly backup still runs after %s", h.Busy)
	}
	if err != nil {
		return "", nil, m, err
	}
	defer release()
	newest, err := h.newest(ctx)
	if err != nil {
		return "", nil, m, err
	}
	to := below(h.Scratch, roomFolder, "restored")
	sampled, err := h.restore(ctx, newest, to)
	if err != nil {
		return newest.ID, nil, m, err
	}
	if err := readJSON(below(to, h.State, dumpFolder, manifestFile), &m); err != nil {
		return newest.ID, nil, m, wrong{err}
	}
	if m.At.IsZero() {
		return newest.ID, nil, m, wrongf("the snapshot has no manifest")
	}
	if h.Database == "" {
		h.figures["rehearsal_age_seconds"] = max(0, h.now().Sub(newest.Time).Seconds())
	}
	if err := h.counts(to, m, sampled); err != nil {
		return newest.ID, nil, m, err
	}
	if err := h.opens(to); err != nil {
		return newest.ID, nil, m, err
	}
	dump, err = h.dumps(ctx, to, m)
	if err != nil {
		return newest.ID, nil, m, err
	}
	if err := h.restoredCopy(to, m); err != nil {
		return newest.ID, nil, m, err
	}
	if err := h.restoredQueue(to, m); err != nil {
		h.found(partQueue, err)
	}
	return newest.ID, dump, m, h.furnish(to, dump)
}

// newest is the newest snapshot that is whole.
func (h *rehearsal) newest(ctx context.Context) (snapshot, error) {
	all, err := h.restic.snapshots(ctx, h.Files.Stack, nightlyTag)
	switch resticCode(err) {
	case resticNone:
		err = wrong{err}
	case resticWrongKey:
		err = wrongf("wrong key: the repository was made with another tarot:backupKey: %w", err)
	}
	if err != nil {
		var known map[string]string
		if e := readJSON(below(h.State, repositoriesFile), &known); e == nil && resticCode(err) == resticNone && known[h.Files.ID()] == "" {
			return snapshot{}, errors.New("there was no nightly backup yet: `make run STACK=... SCHEDULE=backup-files` makes one")
		}
		return snapshot{}, err
	}
	var u upkeep
	if err := readJSON(below(h.State, upkeepFile), &u); err != nil {
		return snapshot{}, err
	}
	all = slices.DeleteFunc(all, func(s snapshot) bool { return slices.Contains(u.Incomplete, s.ID) })
	if len(all) == 0 {
		var last manifest
		if err := readJSON(below(h.State, manifestFile), &last); err != nil || !last.At.IsZero() {
			return snapshot{}, errors.Join(err, wrongf("the repository has no snapshot that is whole"))
		}
		return snapshot{}, errors.New("there was no nightly backup that was whole yet")
	}
	return slices.MaxFunc(all, func(a, b snapshot) int { return a.Time.Compare(b.Time) }), nil
}

// restore restores a snapshot; sampled: not all of it, as there is too much.
func (h *rehearsal) restore(ctx context.Context, s snapshot, to string) (sampled bool, err error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return false, err
	}
	words := []string{"restore", "--no-lock", "--verify", "--target", to}
	total, err := h.size(ctx, s)
	if err != nil {
		return false, h.explainedRestic(ctx, err)
	}
	if total > h.MaxFiles {
		list := below(os.TempDir(), "sample")
		chosen, err := h.sample(ctx, s, total, list)
		if err != nil {
			return true, h.explainedRestic(ctx, err)
		}
		defer os.Remove(list)
		h.tell("sampled: %d of %d MB of the files were restored, others each day", chosen>>20, total>>20)
		words, total, sampled = append(words, "--include-file", list), chosen, true
	}
	if err := h.restic.run(ctx, io.Discard, append(words, s.ID)...); err != nil {
		return sampled, h.explainedRestic(ctx, fmt.Errorf("the snapshot can not be restored: %w", err))
	}
	h.figures["rehearsal_restored_bytes"] += float64(total)
	return sampled, nil
}

func (h *rehearsal) explainedRestic(ctx context.Context, err error) error {
	return h.explained(ctx, err, func() error { return h.restic.run(ctx, io.Discard, "cat", "config", "--no-lock") })
}

// node is a file of a snapshot.
type node struct {
	Kind string `json:"message_type"`
	Type string `json:"type"`
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// each calls with every file of a snapshot.
func (h *rehearsal) each(ctx context.Context, s snapshot, do func(node) error) error {
	return eachLine(func(out io.Writer) error {
		return h.restic.run(ctx, out, "ls", "--json", "--no-lock", s.ID)
	}, func(line []byte) error {
		var n node
		if err := json.Unmarshal(line, &n); err != nil {
			return fmt.Errorf("restic ls: its answer can not be read: %w", err)
		}
		if n.Type != "file" {
			return nil
		}
		return do(n)
	})
}

func (h *rehearsal) size(ctx context.Context, s snapshot) (total int64, err error) {
	return total, h.each(ctx, s, func(n node) error {
		total += n.Size
		return nil
	})
}

// sample writes a list of files for restic: all that is in the state, copies of servers, and of the volumes as much as
// is allowed, by the day. restic reads variables in such a list, and takes away spaces.
func (h *rehearsal) sample(ctx context.Context, s snapshot, total int64, list string) (chosen int64, err error) {
	file, err := os.Create(list)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriter(file)
	whole := []string{h.State}
	for _, folder := range []string{h.Dump, h.Queue} {
		if folder != "" {
			whole = append(whole, folder)
		}
	}
	for _, folder := range whole {
		fmt.Fprintln(out, escaped(folder))
	}
	day := h.now().UTC().Format("2006-01-02")
	err = h.each(ctx, s, func(n node) error {
		if slices.ContainsFunc(whole, func(folder string) bool { return strings.HasPrefix(n.Path, folder+"/") }) {
			chosen += n.Size
			return nil
		}
		if strings.Contains(n.Path, "\n") || strings.TrimSpace(n.Path) != n.Path || chosen+n.Size > h.MaxFiles || !chance(day+n.Path, h.MaxFiles, total) {
			return nil
		}
		chosen += n.Size
		_, err := fmt.Fprintln(out, strings.ReplaceAll(escaped(n.Path), "$", "$$"))
		return err
	})
	return chosen, errors.Join(err, out.Flush(), file.Close())
}

// chance is true for part of all texts.
func chance(text string, part, of int64) bool {
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, text)
	return float64(hash.Sum64()>>11)/(1<<53) < float64(part)/float64(of)
}

// least is which share of a volume's files has to be there: some come and go while a snapshot is
// made.
const least = 0.8

// counts looks whether each volume has about as many files as were seen.
func (h *rehearsal) counts(to string, m manifest, sampled bool) error {
	if sampled || len(m.Exclude) > 0 {
		return nil
	}
	for name, want := range m.Volumes {
		var got int64
		err := filepath.WalkDir(below(to, m.Source, name), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				got++
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if float64(got) < least*float64(want.Files)-20 || got == 0 && want.Files > 0 {
			return wrongf("volume %s has %d files in the snapshot, and had %d", name, got, want.Files)
		}
	}
	return nil
}

// opens looks whether what the stack can be set up again from opens with the key.
func (h *rehearsal) opens(to string) error {
	sealed, err := os.ReadFile(below(to, h.State, sealedFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(below(h.State, sealedFile)); err == nil {
			h.tell("the snapshot has no %s yet: the next one has it", sealedFile)
		}
		return nil
	}
	if err != nil {
		return err
	}
	key, err := os.ReadFile(h.Key)
	if err != nil {
		return err
	}
	if _, err := seal.Open(strings.TrimRight(string(key), "\r\n"), sealed); err != nil {
		return wrongf("%s does not open: %w", sealedFile, err)
	}
	return nil
}

// dumps looks whether the copies of databases hold what was written down.
func (h *rehearsal) dumps(ctx context.Context, to string, m manifest) (*database, error) {
	all := m.Others
	if m.Database != nil {
		all = append([]dumped{*m.Database}, all...)
	}
	for _, one := range all {
		file := below(to, h.State, dumpFolder, one.File)
		if _, hash, err := newest.Sum(file); err != nil || hash != one.SHA256 {
			return nil, wrongf("the copy of %s is not the one that was made: %w", one.Source, errors.Join(err, errors.New("its hash differs")))
		}
		content, size, err := restoredContent(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("the copy of %s: %w", one.Source, err)
		}
		if err := exactly(one.Content, content); err != nil {
			return nil, fmt.Errorf("the copy of %s: %w", one.Source, err)
		}
		if m.Database != nil && one.Source == m.Database.Source && h.parts[partDatabase] != nil {
			h.add(content, size)
		}
	}
	if m.Database == nil {
		if h.Database != "" {
			return nil, wrongf("the snapshot has no copy of the database")
		}
		return nil, nil
	}
	name := below(roomFolder, "dump", filepath.Base(m.Database.File))
	if err := os.MkdirAll(filepath.Dir(below(h.Scratch, name)), 0o700); err != nil {
		return nil, err
	}
	if err := os.Rename(below(to, h.State, dumpFolder, m.Database.File), below(h.Scratch, name)); err != nil {
		return nil, err
	}
	return &database{Name: partFiles, File: name, Schema: m.Database.Schema, ForeignKeys: m.Database.ForeignKeys}, nil
}

// furnish puts what the database's volume holds beside the database to where the application looks
// for it, and the copy of the database, where there is no other.
func (h *rehearsal) furnish(to string, dump *database) error {
	if dump == nil {
		return nil
	}
	folder, file := h.volume()
	err := filepath.WalkDir(below(to, folder), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(below(to, folder), path)
		if err != nil || name == "." {
			return err
		}
		goal := below(h.Scratch, name)
		if _, err := os.Lstat(goal); err == nil {
			return nil // a folder on the way to the database
		}
		if err := os.Rename(path, goal); err != nil {
			return err
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := os.Lstat(below(h.Scratch, file)); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(below(h.Scratch, file)), 0o755); err != nil {
		return err
	}
	copied := below(h.Scratch, dump.File)
	dump.File = file
	return os.Rename(copied, below(h.Scratch, file))
}
