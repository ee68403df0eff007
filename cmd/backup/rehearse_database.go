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

// tries is how often a database is restored that seems to lack rows. Where users write and delete
// meanwhile, two counts say little of what was there between them; rows that are lost, though,
// are missing each time.
const tries = 4

// continuous restores the continuous copy to where the application looks for its database, and
// compares it with what the live one holds.
func (h *rehearsal) continuous(ctx context.Context) (database, error) {
	_, file := h.volume()
	one := database{Name: partDatabase, File: file}
	for try := 1; ; try++ {
		found, err := h.restored(ctx, &one)
		if errors.As(err, new(unsure)) && try < tries && ctx.Err() == nil {
			h.log.Info("restored once more: "+err.Error(), "try", try)
			continue
		}
		if found.ForeignKeys > 0 {
			h.tell("%d rows of the live database refer to none that is there", found.ForeignKeys)
		}
		return one, err
	}
}

// restored restores it once, and is what the live database held before.
func (h *rehearsal) restored(ctx context.Context, one *database) (results.Content, error) {
	guard, to := results.Client{URL: h.Replicator}, below(h.Scratch, one.File)
	before, err := withContent(guard.Mark(ctx))
	if err != nil {
		return results.Content{}, err
	}
	if before.At.After(h.now().Add(ahead)) {
		return *before.Content, fmt.Errorf("the clock: the newest mark is of %s, and it is %s here", before.At.UTC().Format(time.RFC3339), h.now().UTC().Format(time.RFC3339))
	}
	for _, suffix := range []string{"", "-wal", "-shm"} { // of the last try
		if err := os.Remove(to + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return *before.Content, err
		}
	}
	txid, err := h.litestream(ctx, place.Number(before.Place), to)
	if err != nil {
		return *before.Content, err
	}
	after, err := withContent(guard.Mark(ctx))
	if err != nil {
		return *before.Content, err
	}
	if txid < before.TXID {
		return *before.Content, wrongf("what is on the target ends before what the replicator has sent there: at transaction %d, and that was %d. Does another one write %s?", txid, before.TXID, before.Place)
	}
	content, size, err := restoredContent(ctx, to)
	if err != nil {
		return *before.Content, err
	}
	h.figures["rehearsal_age_seconds"] = max(0, h.now().Sub(before.At).Seconds())
	h.figures["rehearsal_restored_bytes"], h.figures["rehearsal_restored_rows"] = 0, 0 // of the last try
	h.add(content, size)
	one.Schema, one.ForeignKeys = content.Schema, max(before.Content.ForeignKeys, after.Content.ForeignKeys)
	return *before.Content, compare(before, after, txid, content)
}

// withContent is a mark that says what the database held.
func withContent(m results.Mark, err error) (results.Mark, error) {
	if err == nil && m.Content == nil {
		err = errors.New("the replicator does not say what the database holds")
	}
	if m.Content == nil {
		m.Content = &results.Content{}
	}
	return m, err
}

// add counts what was restored.
func (h *rehearsal) add(content results.Content, size int64) {
	h.figures["rehearsal_restored_bytes"] += float64(size)
	for _, rows := range content.Rows {
		h.figures["rehearsal_restored_rows"] += float64(rows)
	}
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

// unsure is what seems wrong with a database that is written meanwhile.
type unsure struct{ error }

func (u unsure) Unwrap() error { return u.error }

// slack is by how many rows a table may differ that rows come to and go from meanwhile: at two
// moments it may have had fewer than between them, or more.
func slack(rows int64) int64 { return rows/100 + 20 }

// lost is how many rows may refer to none that is there, where the live database has that many.
func lost(live int) int {
	if live == 0 {
		return 0
	}
	return live + int(slack(int64(live)))
}

// compare looks whether what was restored, up to a transaction, is what the live database held.
// Where nothing was committed since, that is exactly what it holds after it. Otherwise it is
// between what it held before and after, as far as that can be told: see bounds.
func compare(before, after results.Mark, txid uint64, restored results.Content) error {
	if before.Content.Schema != after.Content.Schema {
		return errors.New("the live database's schema was changed meanwhile: a release was migrated")
	}
	if restored.Schema != before.Content.Schema {
		return wrongf("the restored database's schema is not the live one's")
	}
	if after.Place == before.Place && after.TXID == txid {
		return differs(restored, after.Content.ForeignKeys, after.Content.Rows, after.Content.Rows)
	}
	low, high := map[string]int64{}, map[string]int64{}
	for table := range before.Content.Rows {
		low[table], high[table] = bounds(before.Content.Rows[table], after.Content.Rows[table])
	}
	allowed := lost(max(before.Content.ForeignKeys, after.Content.ForeignKeys))
	if err := differs(restored, allowed, low, high); err != nil {
		return unsure{err}
	}
	return nil
}

// bounds are the numbers of rows that a table may have had between two counts. One that only
// grows never had fewer than before; of one that rows were deleted from, that is not known, nor
// is how many a table that changes at all has had at most.
func bounds(before, after int64) (low, high int64) {
	switch {
	case before == after:
		return before, after
	case before < after:
		return before, after + slack(after)
	}
	return max(min(after, 1), after-slack(after)), before + slack(before)
}

// differs is wrong where a table has not as many rows as it may have.
func differs(restored results.Content, orphans int, low, high map[string]int64) error {
	var all []string
	for _, table := range slices.Sorted(maps.Keys(low)) {
		got, there := restored.Rows[table]
		live := fmt.Sprint(low[table])
		if low[table] != high[table] {
			live = fmt.Sprintf("%d to %d", low[table], high[table])
		}
		switch {
		case !there:
			all = append(all, fmt.Sprintf("table %s is missing", table))
		case got < low[table] || got > high[table]:
			all = append(all, fmt.Sprintf("table %s has %d rows, and the live one %s", table, got, live))
		}
	}
	if restored.ForeignKeys > orphans {
		all = append(all, fmt.Sprintf("%d rows refer to none that is there, and %d of the live one", restored.ForeignKeys, orphans))
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
