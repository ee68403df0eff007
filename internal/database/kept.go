package database

import (
	"bytes"
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"tarot-platform/internal/engine"
)

var (
	//go:embed kept.py
	keptScript string
	//go:embed kept.sql
	keptSQL string
	//go:embed drop.sql
	dropSQL string
)

// Kept is what moves have left as it was, and nothing runs on.
type Kept struct {
	// Files are those beside the file of SQLite, by their names, and Databases those in the server, with their bytes.
	Files, Databases map[string]int64
	// Volume is that of a PostgreSQL that runs no more; empty: there is none.
	Volume string
}

// None is true where there is nothing.
func (k Kept) None() bool { return len(k.Files)+len(k.Databases) == 0 && k.Volume == "" }

// Lines say what there is.
func (k Kept) Lines(stack Stack) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(k.Files)) {
		all = append(all, fmt.Sprintf("%s in the volume %s: %.1f MB", path.Join(stack.Folder, name), stack.Volume, float64(k.Files[name])/1e6))
	}
	for _, name := range slices.Sorted(maps.Keys(k.Databases)) {
		all = append(all, fmt.Sprintf("the database %s in PostgreSQL: %.1f MB", name, float64(k.Databases[name])/1e6))
	}
	if k.Volume != "" {
		all = append(all, fmt.Sprintf("the volume %s, with the PostgreSQL that the data were in", k.Volume))
	}
	return all
}

// Kept looks for it. serves is true where the stack has a PostgreSQL, whose volume runs then, whatever is in it.
func (m *Move) Kept(ctx context.Context, serves bool, volume string) (k Kept, err error) {
	if k.Files, err = m.files(ctx, true); err != nil {
		return k, err
	}
	if serves {
		k.Databases, err = m.databases(ctx)
		return k, err
	}
	_, there, err := m.Engine.Volume(ctx, volume)
	if err != nil || !there {
		return k, err
	}
	by, err := m.Engine.Mounting(ctx, []string{volume}, "")
	if err == nil && len(by) > 0 {
		err = fmt.Errorf("%s has the volume %s, though the stack's file asks for no PostgreSQL: it runs, and nothing is removed. `pulumi up` comes first", strings.Join(by, ", "), volume)
	}
	k.Volume = volume
	return k, err
}

// Forget removes it for good.
func (m *Move) Forget(ctx context.Context, k Kept) error {
	if names := slices.Sorted(maps.Keys(k.Files)); len(names) > 0 {
		if _, err := m.files(ctx, false, names...); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.Databases)) {
		if err := m.sql(ctx, io.Discard, dropSQL, "name="+name); err != nil {
			return err
		}
	}
	if k.Volume == "" {
		return nil
	}
	return m.Engine.RemoveVolume(ctx, k.Volume)
}

// files are those that moves have left beside the file of SQLite, without those that are removed.
func (m *Move) files(ctx context.Context, readOnly bool, remove ...string) (map[string]int64, error) {
	var out bytes.Buffer
	err := m.once(ctx, &out, func(o *engine.Once) {
		o.Network = ""
		o.Mounts = []engine.OnceMount{{Source: m.Stack.Volume, Target: m.Stack.Folder, ReadOnly: readOnly}} // there is no scratch volume
	}, append([]string{"python3", "-c", keptScript, m.Stack.File}, remove...)...)
	var all map[string]int64
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &all)
	}
	return all, err
}

func (m *Move) databases(ctx context.Context) (map[string]int64, error) {
	var out bytes.Buffer
	if err := m.sql(ctx, &out, keptSQL); err != nil {
		return nil, err
	}
	all := map[string]int64{}
	for line := range strings.Lines(out.String()) {
		name, size, is := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.ParseInt(size, 10, 64)
		if !is || err != nil {
			return nil, fmt.Errorf("databases that were kept: %q", line)
		}
		all[name] = n
	}
	return all, nil
}
