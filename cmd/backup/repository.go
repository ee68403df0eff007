package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tarot-platform/internal/backup/place"
)

// repositoriesFile holds which repository each target of this stack has: one that is gone, or is
// another one, is not taken for one that was never made.
const repositoriesFile = "repository.json"

// repository makes sure that the target's repository is there, and is the one that it was.
func (n *nightly) repository(ctx context.Context) error {
	known := map[string]string{}
	if err := readJSON(below(n.State, repositoriesFile), &known); err != nil {
		return err
	}
	before, made := known[n.Target.ID()], false
	id, err := n.repositoryID(ctx)
	if resticCode(err) == resticNone {
		if before != "" {
			return wrongf("the repository that this stack had is gone from the target: is that the right one, and mounted? Nothing is begun in its place. To begin another one, remove the target's line from %s", below(n.State, repositoriesFile))
		}
		n.log.Info("the target has no repository yet: it gets one")
		if err := n.restic.run(ctx, io.Discard, "init"); err != nil {
			return wrong{err}
		}
		made = true
		id, err = n.repositoryID(ctx)
	}
	switch {
	case resticCode(err) == resticWrongKey:
		return wrongf("wrong key: the repository was made with another tarot:backupKey. With that one in the stack's file it is readable again")
	case err != nil:
		return err
	case before != "" && before != id:
		return wrongf("another repository (%.8s) is where this stack's (%.8s) was: nothing is written into it", id, before)
	case before == "" && !made:
		n.log.Info("the target has a repository that this key opens: it is gone on with", "id", id)
	}
	if before == id {
		return nil
	}
	known[n.Target.ID()] = id
	return writeJSON(below(n.State, repositoriesFile), known)
}

func (n *nightly) repositoryID(ctx context.Context) (string, error) {
	var config struct{ ID string }
	if err := n.restic.read(ctx, &config, "cat", "config", "--no-lock"); err != nil {
		return "", err
	}
	if config.ID == "" {
		return "", errors.New("restic cat config: no id in its answer")
	}
	return config.ID, nil
}

// locks removes those of somebody who is known to be gone. Others keep nobody from a backup, but
// from looking after the repository.
func (n *nightly) locks(ctx context.Context) error {
	if err := n.restic.unlock(ctx); err != nil {
		return fmt.Errorf("locks: %w", err)
	}
	left, err := n.restic.locks(ctx)
	if err != nil {
		return fmt.Errorf("locks: %w", err)
	}
	n.figure("files_locks", float64(left))
	if left > 0 {
		n.tell("%d locks of somebody else are in the repository: those of somebody who was killed go when they are 30 minutes old", left)
	}
	return nil
}

// readJSON reads what writeJSON has written; where there is no file, the value is as it was.
func readJSON(path string, value any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return place.Replace(path, append(text, '\n'), 0o644)
}
