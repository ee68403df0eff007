package database

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tarot-platform/internal/engine"
)

// side is what the application's command says of one side of a table.
type side struct {
	Rows int64  `json:"rows"`
	Hash string `json:"hash"`
}

// report is a line of what that command prints.
type report struct {
	Table          string `json:"table"`
	Source, Target *side
	Fault          *struct {
		Table, Column, Reason string
		Key                   any
	}
}

// sqlite is the address of a file.
func (m *Move) sqlite(file string) string { return m.Stack.Dialect + ":///" + file }

// snapshot copies the live file into the scratch volume. Quiet: nothing may write to it.
func (m *Move) snapshot(ctx context.Context, quiet bool) (map[string]int64, error) {
	words := []string{m.Stack.File, sourceFile}
	if quiet {
		words = append(words, "equal")
	}
	return m.counted(ctx, sourceScript, words...)
}

// counted runs a script that prints the rows of each table.
func (m *Move) counted(ctx context.Context, script string, words ...string) (map[string]int64, error) {
	var out bytes.Buffer
	if err := m.python(ctx, &out, script, words...); err != nil {
		return nil, err
	}
	var rows map[string]int64
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		return nil, fmt.Errorf("rows of the tables: %w", err)
	}
	return rows, nil
}

// serverRows are those of PostgreSQL.
func (m *Move) serverRows(ctx context.Context) (map[string]int64, error) {
	var out bytes.Buffer
	if err := m.sql(ctx, &out, rowsSQL); err != nil {
		return nil, err
	}
	rows := map[string]int64{}
	for line := range strings.Lines(out.String()) {
		table, count, is := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.ParseInt(count, 10, 64)
		if !is || err != nil {
			return nil, fmt.Errorf("rows of the tables: %q", line)
		}
		rows[table] = n
	}
	return rows, nil
}

// account makes an account on the server for this command alone, and returns its address. Its
// password is nowhere else.
func (m *Move) account(ctx context.Context) (string, error) {
	role, err := m.Stack.Role(m.password)
	if err != nil {
		return "", err
	}
	verifier, err := m.Stack.Verifier(m.password)
	if err != nil {
		return "", err
	}
	if err := m.sql(ctx, io.Discard, accountSQL, "role="+role, "verifier="+verifier, "run=move "+m.run); err != nil {
		return "", fmt.Errorf("an account to copy with: %w", err)
	}
	return m.Stack.Address(m.password)
}

// fresh is PostgreSQL's database anew, without a table. One that is there is kept under another name.
func (m *Move) fresh(ctx context.Context) (address string, err error) {
	if err := m.sql(ctx, io.Discard, freshSQL, "run=move "+m.run, "before=app_before_"+m.run); err != nil {
		return "", fmt.Errorf("an empty database: %w", err)
	}
	if err := m.Engine.RunAgain(ctx, m.Stack.Prefix, usersJob, jobTime); err != nil {
		return "", err
	}
	return m.account(ctx)
}

// migrate makes the schema in an empty database.
func (m *Move) migrate(ctx context.Context, target string) (string, error) {
	err := m.application(ctx, io.Discard, "", target, m.Stack.Migrate...)
	if err != nil {
		err = fmt.Errorf("the tables of the new database (%s): %w", strings.Join(m.Stack.Migrate, " "), err)
	}
	return target, err
}

// emptyServer is the address of PostgreSQL's database with the schema and no row, and emptyFile that
// of a file.
func (m *Move) emptyServer(ctx context.Context) (string, error) {
	target, err := m.fresh(ctx)
	if err != nil {
		return "", err
	}
	return m.migrate(ctx, target)
}

func (m *Move) emptyFile(ctx context.Context) (string, error) {
	if err := m.once(ctx, io.Discard, nil, "rm", "-f", targetFile, targetFile+"-wal", targetFile+"-shm"); err != nil {
		return "", err
	}
	return m.migrate(ctx, m.sqlite(targetFile))
}

// copyTo has the application copy all into an empty database, which compares before it commits; verify: and once more after it. What is
// counted is compared by the platform: the command may be wrong.
func (m *Move) copyTo(ctx context.Context, source, target string, verify bool, before, after func(context.Context) (map[string]int64, error)) (map[string]int64, error) {
	if err := m.compared(ctx, source, target, m.Stack.Copy...); err != nil {
		return nil, err
	}
	if verify {
		if err := m.compared(ctx, source, target, append(slices.Clone(m.Stack.Copy), "--verify")...); err != nil {
			return nil, err
		}
	}
	had, err := before(ctx)
	if err != nil {
		return nil, err
	}
	has, err := after(ctx)
	if err != nil {
		return nil, err
	}
	return has, same(had, has)
}

// same refuses a copy with other rows, by the platform's own count. What is in none of both, or
// empty in the one and missing in the other, is the same.
func same(had, has map[string]int64) error {
	var all []error
	tables := maps.Clone(had)
	if tables == nil {
		tables = map[string]int64{}
	}
	maps.Copy(tables, has)
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		if had[table] != has[table] {
			all = append(all, fmt.Errorf("table %s: %d rows before, %d in the copy", table, had[table], has[table]))
		}
	}
	return errors.Join(all...)
}

// compared runs the command that copies, or compares, and reads what it says.
func (m *Move) compared(ctx context.Context, source, target string, words ...string) error {
	var out bytes.Buffer
	err := m.application(ctx, &out, source, target, words...)
	failed := func(err error) error { return fmt.Errorf("%s: %w", strings.Join(words, " "), err) }
	if ended := new(engine.ExitError); err != nil && !errors.As(err, &ended) {
		return failed(err)
	}
	var all []error
	tables := 0
	for line := range strings.Lines(out.String()) {
		var r report
		if text := strings.TrimSpace(line); text == "" {
			continue
		} else if err := json.Unmarshal([]byte(text), &r); err != nil {
			return failed(fmt.Errorf("what it prints is no JSON: %.100q", text))
		}
		switch {
		case r.Fault != nil:
			all = append(all, fmt.Errorf("table %s, row %v, column %s: %s", r.Fault.Table, r.Fault.Key, r.Fault.Column, r.Fault.Reason))
		case r.Table != "" && r.Source != nil && r.Target != nil:
			tables++
			if *r.Source != *r.Target {
				all = append(all, fmt.Errorf("table %s: %d rows, and %d in the copy, or what is in them is not the same", r.Table, r.Source.Rows, r.Target.Rows))
			}
		}
	}
	if err == nil && tables == 0 && len(all) == 0 {
		err = errors.New("it says of no table that it was copied")
	}
	if err := errors.Join(append(all, err)...); err != nil {
		return failed(err)
	}
	return nil
}
