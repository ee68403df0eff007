package database

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	backup "tarot-platform/internal/backup/journal"
	"tarot-platform/internal/config"
	"tarot-platform/internal/journal"
)

// writers is what a step has noted of those that were stopped.
func writers(data map[string]string) (all []backup.Stopped, err error) {
	if text := data["writers"]; text != "" {
		err = json.Unmarshal([]byte(text), &all)
	}
	return all, err
}

// list notes who has the database: before any of them is stopped, as who is stopped is not found.
func (m *Move) list(volumes ...string) journal.Step {
	return journal.Step{Name: "listed", Do: func(ctx context.Context, _ map[string]string) (map[string]string, error) {
		all, err := m.Engine.WritersOf(ctx, m.Stack.Prefix, volumes, m.Stack.Clients)
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(all, func(a, b backup.Stopped) int { return m.Stack.Order(a.Workload) - m.Stack.Order(b.Workload) })
		text, err := json.Marshal(all)
		return map[string]string{"writers": string(text)}, err
	}}
}

// strangers is an error where something that is none of the stack's has the volume of the file: the
// stack's own are stopped in time, and that is not.
func (m *Move) strangers(ctx context.Context) error {
	left, err := m.Engine.Mounting(ctx, []string{m.Stack.Volume}, m.Stack.Prefix)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s, of another stack or of none, has the volume %s, in which the database is: stop it, and try again", strings.Join(left, ", "), m.Stack.Volume)
	}
	return err
}

// unmounted is an error where something has the volume of the file, and noSession where somebody is
// logged in to PostgreSQL as the application.
func (m *Move) unmounted(ctx context.Context) error {
	left, err := m.Engine.Mounting(ctx, []string{m.Stack.Volume}, "")
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s has the database all the same: stop it, and try again", strings.Join(left, ", "))
	}
	return err
}

func (m *Move) noSession(ctx context.Context) error {
	var out bytes.Buffer
	const sessions = "SELECT DISTINCT client_addr FROM pg_stat_activity WHERE datname = 'app' AND usename ~ '^app_'"
	err := m.sql(ctx, &out, sessions)
	if left := strings.Fields(out.String()); err == nil && len(left) > 0 {
		err = fmt.Errorf("%s has the database all the same: stop it, and try again", strings.Join(left, ", "))
	}
	return err
}

// quiet is the maintenance page, and then nobody has the database, but for what stays.
func (m *Move) quiet(nobody func(context.Context) error, stays ...string) journal.Step {
	return journal.Step{Name: "quiet",
		Do: func(ctx context.Context, data map[string]string) (map[string]string, error) {
			all, err := writers(data)
			if err != nil {
				return nil, err
			}
			leave := slices.DeleteFunc(all, func(s backup.Stopped) bool { return slices.Contains(stays, s.Workload) })
			// What runs when it is due may take its time to end, before users wait.
			serving, scheduled := apart(leave)
			if err := m.Engine.StopWriters(ctx, scheduled, m.Tell); err != nil {
				return nil, err
			}
			m.page(ctx)
			if err := m.Engine.StopWriters(ctx, serving, m.Tell); err != nil {
				return nil, err
			}
			err = nobody(ctx)
			return map[string]string{"since": m.shown.UTC().Format(time.RFC3339), "stopped": m.Now().UTC().Format(time.RFC3339Nano)}, err
		},
		Undo: func(ctx context.Context, data map[string]string) error {
			all, err := writers(data)
			if err != nil {
				return err
			}
			if err := m.start(ctx, all); err != nil {
				return err
			}
			return m.unpage(ctx)
		},
	}
}

// apart tells what users wait for from what runs when it is due.
func apart(all []backup.Stopped) (serving, scheduled []backup.Stopped) {
	for _, s := range all {
		if strings.HasPrefix(s.Workload, config.ScheduleWorkload("")) {
			scheduled = append(scheduled, s)
		} else {
			serving = append(serving, s)
		}
	}
	return serving, scheduled
}

// start has programs run again, but for those that an `up` has made anew.
func (m *Move) start(ctx context.Context, all []backup.Stopped) error {
	left, err := m.Engine.Remaining(ctx, m.Stack.Prefix, all)
	if err != nil {
		return err
	}
	return m.Engine.StartWriters(ctx, left, m.Tell)
}

// begin starts them for an `up`, which waits for all that is there.
func (m *Move) begin(ctx context.Context, all []backup.Stopped) error {
	left, err := m.Engine.Remaining(ctx, m.Stack.Prefix, all)
	if err != nil {
		return err
	}
	return m.Engine.BeginWriters(ctx, left, m.Tell)
}

// page shows the maintenance page, where there is a nginx.
func (m *Move) page(ctx context.Context) {
	m.shown = m.Now()
	if m.Stack.Nginx == "" {
		return
	}
	runs, err := m.Engine.Runs(ctx, m.Stack.Prefix, m.Stack.Nginx)
	if err == nil && runs == 0 {
		err = errors.New("nginx does not run")
	}
	if err == nil {
		_, err = m.Engine.Exec(ctx, m.Stack.Prefix, m.Stack.Nginx, m.Stack.Close...)
	}
	if err != nil {
		m.Tell("users see no maintenance page: " + err.Error())
		return
	}
	m.Tell("users see the maintenance page")
}

// opening looks when an `up` takes it away, which goes on after that, until the function is called. The zero time: it was
// not seen to go.
func (m *Move) opening(ctx context.Context) func() time.Time {
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan time.Time, 1)
	go func() {
		defer close(gone)
		for m.Stack.Nginx != "" && len(m.Stack.Open) > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
			said, err := m.Engine.Exec(ctx, m.Stack.Prefix, m.Stack.Nginx, m.Stack.Shown...)
			if err == nil && strings.TrimSpace(said) == "open" {
				gone <- m.Now()
				return
			}
		}
	}()
	return func() time.Time { cancel(); return <-gone }
}

// seen says how long users have seen the page, and what for.
func (m *Move) seen(data map[string]string) string {
	at := map[string]time.Time{}
	for _, name := range []string{"since", "stopped", "copied", "opened"} {
		if t, err := time.Parse(time.RFC3339, data[name]); err == nil {
			at[name] = t
		}
	}
	if at["since"].IsZero() {
		return ""
	}
	if at["opened"].IsZero() {
		at["opened"] = m.Now()
	}
	seconds := func(from, to string) string { return fmt.Sprintf("%.0fs", at[to].Sub(at[from]).Seconds()) }
	text := "They saw the maintenance page for at most " + seconds("since", "opened")
	if !at["stopped"].IsZero() && !at["copied"].IsZero() {
		text += fmt.Sprintf(": %s until nobody wrote, %s to copy and compare, %s for the `up`", seconds("since", "stopped"), seconds("stopped", "copied"), seconds("copied", "opened"))
	}
	return text
}

// unpage takes it away.
func (m *Move) unpage(ctx context.Context) error {
	if m.Stack.Nginx == "" || len(m.Stack.Open) == 0 {
		return nil
	}
	runs, err := m.Engine.Runs(ctx, m.Stack.Prefix, m.Stack.Nginx)
	if err == nil && runs > 0 { // one that starts has none
		_, err = m.Engine.Exec(ctx, m.Stack.Prefix, m.Stack.Nginx, m.Stack.Open...)
	}
	if err != nil {
		return fmt.Errorf("users still see the maintenance page: %w", err)
	}
	return nil
}
