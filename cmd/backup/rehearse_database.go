package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/sqlite"
)

// ahead is how far a clock may be before this one.
const ahead = time.Minute

// continuous restores the continuous copy to where the application looks for its database, and
// compares it with what the live one holds.
func (h *rehearsal) continuous(ctx context.Context) (database, error) {
	_, file := h.volume()
	one := database{Name: partDatabase, File: file}
	guard := results.Client{URL: h.Replicator}
	before, err := guard.Mark(ctx)
	if err != nil {
		return one, err
	}
	if before.At.After(h.now().Add(ahead)) {
		return one, fmt.Errorf("the clock: the newest mark is of %s, and it is %s here", before.At.UTC().Format(time.RFC3339), h.now().UTC().Format(time.RFC3339))
	}
	txid, err := h.litestream(ctx, place.Number(before.Place), below(h.Scratch, file))
	if err != nil {
		return one, err
	}
	after, err := guard.Rows(ctx)
	if err != nil {
		return one, err
	}
	if txid < before.TXID {
		return one, wrongf("what is on the target ends before what the replicator has sent there: at transaction %d, and that was %d. Does another one write %s?", txid, before.TXID, before.Place)
	}
	content, size, err := restoredContent(ctx, below(h.Scratch, file))
	if err != nil {
		return one, err
	}
	if before.Content == nil {
		return one, errors.New("the replicator does not say what the database holds")
	}
	if before.Content.ForeignKeys > 0 {
		h.tell("%d rows of the live database refer to none that is there", before.Content.ForeignKeys)
	}
	h.figures["rehearsal_age_seconds"] = max(0, h.now().Sub(before.At).Seconds())
	h.add(content, size)
	one.Schema, one.ForeignKeys = content.Schema, max(before.Content.ForeignKeys, after.ForeignKeys)
	return one, compare(*before.Content, after, content)
}

// add counts what was restored.
func (h *rehearsal) add(content results.Content, size int64) {
	h.figures["rehearsal_restored_bytes"] += float64(size)
	var rows int64
	for _, count := range content.Rows {
		rows += count
	}
	h.figures["rehearsal_restored_rows"] = float64(rows)
}

// litestream restores a history into a file, and is the last transaction in it.
func (h *rehearsal) litestream(ctx context.Context, number int, to string) (uint64, error) {
	if number == 0 {
		return 0, errors.New("the replicator does not say which history it writes")
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, err
	}
	settings := litestreamSettings{Database: h.Database, Meta: below(h.Scratch, roomFolder, "meta"), Replica: h.Target.Litestream(number), Retention: 24 * time.Hour, L0: time.Hour}
	config := below(os.TempDir(), "rehearsal.yml")
	if err := settings.write(config); err != nil {
		return 0, err
	}
	defer os.Remove(config)
	cmd := exec.CommandContext(ctx, h.Litestream, "restore", "-config", config, "-no-expand-env", "-json", "-integrity-check", "full", "-o", to, h.Database)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return 0, h.explained(ctx, fmt.Errorf("litestream restore: %w: %s", err, lastLine(said.String())), func() error {
			_, err := listFiles(ctx, h.Litestream, os.TempDir(), settings)
			return err
		})
	}
	var answer struct{ TXID string }
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return 0, fmt.Errorf("litestream restore: its answer can not be read: %w", err)
	}
	return results.ParseTXID(answer.TXID)
}

// explained is what it means that something could not be restored: it is wrong where the target
// answers, and there is room here.
func (h *rehearsal) explained(ctx context.Context, err error, ask func() error) error {
	if ctx.Err() != nil {
		return err
	}
	if full(h.Scratch) {
		return fmt.Errorf("the disk of the scratch volume is full: %w", err)
	}
	if unanswered := ask(); unanswered != nil {
		return errors.Join(err, unanswered)
	}
	return wrong{err}
}

// full is true where a disk has next to nothing free.
func full(folder string) bool {
	var disk syscall.Statfs_t
	return syscall.Statfs(folder, &disk) == nil && int64(disk.Bavail)*disk.Bsize < 8<<20
}

// restoredContent is what a restored database holds, and its size.
func restoredContent(ctx context.Context, file string) (results.Content, int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return results.Content{}, 0, err
	}
	db, err := sqlite.Open(file, sqlite.ReadOnly)
	if err != nil {
		return results.Content{}, 0, judged(err)
	}
	defer db.Close()
	content, err := contentOf(ctx, db)
	return content, info.Size(), judged(err)
}

// judged is wrong for a database that is damaged.
func judged(err error) error {
	var damaged *sqlite.Damaged
	if errors.As(err, &damaged) {
		return wrong{err}
	}
	return err
}

// slack is by how many rows a table may differ, beside what was written while it was restored.
func slack(rows int64) int64 { return rows/100 + 20 }

// lost is how many rows may refer to none that is there, where the live database has that many.
func lost(live int) int {
	if live == 0 {
		return 0
	}
	return live + int(slack(int64(live)))
}

// compare looks whether what was restored is between what the live database held before and after.
func compare(before, after, restored results.Content) error {
	if before.Schema != after.Schema {
		return errors.New("the live database's schema was changed meanwhile: a release was migrated")
	}
	if restored.Schema != before.Schema {
		return wrongf("the restored database's schema is not the live one's")
	}
	var all []string
	for _, table := range slices.Sorted(maps.Keys(before.Rows)) {
		low, high := min(before.Rows[table], after.Rows[table]), max(before.Rows[table], after.Rows[table])
		got, there := restored.Rows[table]
		switch {
		case !there:
			all = append(all, fmt.Sprintf("table %s is missing", table))
		case got == 0 && low > 0:
			all = append(all, fmt.Sprintf("table %s is empty, and the live one has %d rows", table, low))
		case got < low-slack(low) || got > high+slack(high):
			all = append(all, fmt.Sprintf("table %s has %d rows, and the live one %d to %d", table, got, low, high))
		}
	}
	if allowed := max(before.ForeignKeys, after.ForeignKeys); restored.ForeignKeys > lost(allowed) {
		all = append(all, fmt.Sprintf("%d rows refer to none that is there, and %d of the live one", restored.ForeignKeys, allowed))
	}
	if len(all) > 0 {
		return wrongf("what was restored is not what the live database holds: %s", strings.Join(all, "; "))
	}
	return nil
}

// exactly looks whether a copy holds what its manifest says.
func exactly(want, got results.Content) error {
	switch {
	case want.Schema != got.Schema:
		return wrongf("its schema is not the one that was written down")
	case !maps.Equal(want.Rows, got.Rows):
		return wrongf("its tables have other numbers of rows than were written down: %v, want %v", got.Rows, want.Rows)
	case want.ForeignKeys != got.ForeignKeys:
		return wrongf("%d rows refer to none that is there, and %d were written down", got.ForeignKeys, want.ForeignKeys)
	}
	return nil
}
