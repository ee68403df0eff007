package database

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/engine"
)

// keeper is an engine with what moves have left: files in a folder, databases in a server, and volumes.
type keeper struct {
	*world
	databases map[string]int64
	volumes   []string
	touched   bool
}

func (k *keeper) RunOnce(_ context.Context, _ string, o engine.Once, out io.Writer) error {
	if len(o.Mounts) > 0 && o.Mounts[0].Source == "data" && !o.Mounts[0].ReadOnly {
		k.touched = true
	}
	script := string(o.Files[stepFolder+"/do.sql"])
	switch {
	case strings.HasSuffix(script, keptSQL):
		for name, size := range k.databases {
			fmt.Fprintf(out, "%s\t%d\n", name, size)
		}
		return nil
	case strings.HasSuffix(script, dropSQL):
		name := strings.Split(script, "'")[1]
		if _, there := k.databases[name]; !there {
			return fmt.Errorf("%s is not there", name)
		}
		delete(k.databases, name)
		return nil
	}
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	cmd.Stdout = out
	return cmd.Run()
}

func (k *keeper) Volume(_ context.Context, name string) (engine.Volume, bool, error) {
	return engine.Volume{Name: name}, slices.Contains(k.volumes, name), nil
}

func (k *keeper) RemoveVolume(_ context.Context, name string) error {
	k.volumes = slices.DeleteFunc(k.volumes, func(v string) bool { return v == name })
	return nil
}

const earlier = "20261127-120000-abcd"

// keeping is a stack after a move, whose folder has other files, too.
func keeping(t *testing.T) (*keeper, *Move, string) {
	folder := t.TempDir()
	for _, name := range []string{"prod.db", "prod.db-wal", "prod.db.moved-" + earlier, "prod.db.undone-" + earlier, "prod.db.moved-by-hand", "other.db.moved-" + earlier, "a.prod.db.moved-" + earlier, "prod.db.moved-" + earlier + ".mine"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("data"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := &keeper{world: newWorld(t), databases: map[string]int64{"app_before_" + earlier: 7}, volumes: []string{"p-s-postgres", "data"}}
	m := &Move{Engine: k, Stack: Stack{Name: "s", Prefix: "p-s", Volume: "data", Folder: folder, File: filepath.Join(folder, "prod.db")}}
	return k, m, folder
}

// What the stack runs on is left alone, and so is what has another name.
func TestWhatMovesHaveLeft(t *testing.T) {
	for _, serves := range []bool{true, false} {
		k, m, folder := keeping(t)
		kept, err := m.Kept(t.Context(), serves, "p-s-postgres")
		if err != nil || kept.None() || k.touched {
			t.Fatalf("%v: %+v, written to %v", err, kept, k.touched)
		}
		if names := slices.Sorted(maps.Keys(kept.Files)); !slices.Equal(names, []string{"prod.db.moved-" + earlier, "prod.db.undone-" + earlier}) {
			t.Errorf("%q", names)
		}
		if len(kept.Databases) == 1 != serves || (kept.Volume == "") != serves || len(kept.Lines(m.Stack)) != 3 {
			t.Errorf("it serves %v: %+v", serves, kept)
		}
		if err := m.Forget(t.Context(), kept); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(folder)
		if err != nil || len(left) != 6 {
			t.Errorf("%v: %v", err, left)
		}
		if (len(k.databases) == 0) != serves || slices.Contains(k.volumes, "p-s-postgres") != serves || !slices.Contains(k.volumes, "data") {
			t.Errorf("it serves %v: %v, %v", serves, k.databases, k.volumes)
		}
		if kept, err := m.Kept(t.Context(), serves, "p-s-postgres"); err != nil || !kept.None() {
			t.Errorf("%v: %+v", err, kept)
		}
	}
}

// The stack's file may say what is not so yet.
func TestAServerThatRunsIsNotRemoved(t *testing.T) {
	k, m, _ := keeping(t)
	k.mounted = []string{"p-s-postgres-1"}
	if kept, err := m.Kept(t.Context(), false, "p-s-postgres"); err == nil || !strings.Contains(err.Error(), "p-s-postgres-1 has the volume p-s-postgres") {
		t.Errorf("%v: %+v", err, kept)
	}
	if !slices.Contains(k.volumes, "p-s-postgres") {
		t.Error("it is gone")
	}
}

// A name that nobody has shown is not removed, nor is anything that is no move's.
func TestNothingElseIsForgotten(t *testing.T) {
	_, m, folder := keeping(t)
	for _, name := range []string{"prod.db", "../" + filepath.Base(folder) + "/prod.db.moved-" + earlier, "prod.db.moved-by-hand"} {
		if err := m.Forget(t.Context(), Kept{Files: map[string]int64{name: 4}}); err == nil {
			t.Errorf("%s is removed", name)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 8 {
		t.Errorf("%v: %v", err, left)
	}
}
