package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tarot-platform/internal/cron"
)

// telling is a scheduler of a shell script, with what it tells. It remembers in the folder.
func telling(t *testing.T, folder, script string, changes ...func(*Options)) (*scheduler, *bytes.Buffer) {
	t.Helper()
	schedule, err := cron.Parse("0 3 * * *", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "report", State: folder, Schedule: schedule, Command: []string{"/bin/sh", "-c", script}, Limit: time.Minute, Grace: time.Minute, Pause: time.Millisecond}
	for _, change := range changes {
		change(&o)
	}
	var told bytes.Buffer
	s, err := newScheduler(o, slog.New(slog.NewJSONHandler(&told, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, &told
}

func want(t *testing.T, s *scheduler, lines ...string) {
	t.Helper()
	text := s.metrics()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is not in\n%s", line, text)
		}
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in 20 s: " + what)
		}
	}
}

func TestHowARunEnds(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		change func(*Options)
		want   []string
	}{
		"well": {"exit 0", func(*Options) {}, []string{`schedule_runs_total{schedule="report",outcome="succeeded"} 1`, `schedule_failing{schedule="report"} 0`, `schedule_due_since_success{schedule="report"} 0`}},
		"not":  {"exit 3", func(*Options) {}, []string{`schedule_runs_total{schedule="report",outcome="failed"} 1`, `schedule_failing{schedule="report"} 1`, `schedule_due_since_success{schedule="report"} 1`, `schedule_last_success_timestamp_seconds{schedule="report"} 0`}},
		"in time, the third": {"echo x >>$FILE; [ $(wc -l <$FILE) = 3 ]", func(o *Options) { o.Retries = 2 },
			[]string{`schedule_runs_total{schedule="report",outcome="succeeded"} 1`, `schedule_runs_total{schedule="report",outcome="failed"} 0`}},
		"too late, the third": {"echo x >>$FILE; [ $(wc -l <$FILE) = 3 ]", func(o *Options) { o.Retries = 1 }, []string{`schedule_runs_total{schedule="report",outcome="failed"} 1`}},
		"never":               {"sleep 60", func(o *Options) { o.Limit = 50 * time.Millisecond }, []string{`schedule_runs_total{schedule="report",outcome="timeout"} 1`, `schedule_failing{schedule="report"} 1`}},
		"no such program":     {"", func(o *Options) { o.Command = []string{"/nowhere"} }, []string{`schedule_runs_total{schedule="report",outcome="failed"} 1`}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			t.Setenv("FILE", filepath.Join(folder, "lines"))
			s, _ := telling(t, folder, test.script, test.change)
			var all sync.WaitGroup
			s.due(&all, time.Now())
			all.Wait()
			want(t, s, test.want...)
		})
	}
}

func TestACommandKnowsForWhichTimeItRuns(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("FILE", filepath.Join(folder, "due"))
	s, _ := telling(t, folder, `echo $SCHEDULE_DUE >>$FILE; exit 1`, func(o *Options) { o.Retries = 1 })
	var all sync.WaitGroup
	s.due(&all, time.Date(2026, 5, 1, 11, 0, 0, 0, time.FixedZone("", 8*3600)))
	all.Wait()
	if text, err := os.ReadFile(filepath.Join(folder, "due")); err != nil || string(text) != "2026-05-01T03:00:00Z\n2026-05-01T03:00:00Z\n" {
		t.Errorf("%v: %s", err, text)
	}
}

// Also what it has started itself, and what does not heed SIGTERM at once.
func TestNothingIsLeftOfARunWhoseTimeIsUp(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("FILE", filepath.Join(folder, "pid"))
	s, _ := telling(t, folder, `sh -c 'echo $$ >$FILE; exec sleep 60' & wait`, func(o *Options) { o.Limit = time.Second })
	var all sync.WaitGroup
	s.due(&all, time.Now())
	all.Wait()
	pid, err := os.ReadFile(filepath.Join(folder, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child is gone", func() bool {
		status, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		return err != nil || strings.Contains(string(status), ") Z ")
	})
}

func TestWhatIsDueWhileItRuns(t *testing.T) {
	for name, test := range map[string]struct {
		wait    bool
		runs    string
		skipped string
	}{"is left out": {false, "1", "2"}, "waits, one of them": {true, "2", "1"}} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			t.Setenv("FILE", filepath.Join(folder, "go"))
			s, _ := telling(t, folder, `until [ -e $FILE ]; do sleep 0.01; done`, func(o *Options) { o.Wait = test.wait })
			var all sync.WaitGroup
			for range 3 {
				s.due(&all, time.Now())
			}
			if err := os.WriteFile(filepath.Join(folder, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			all.Wait()
			want(t, s, `schedule_runs_total{schedule="report",outcome="succeeded"} `+test.runs, `schedule_skipped_total{schedule="report"} `+test.skipped)
		})
	}
}

// A release takes the place of another: what is due meanwhile runs once, and not again.
func TestWhatWasDueWithoutAScheduler(t *testing.T) {
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for name, test := range map[string]struct {
		due, now string
		runs     string
		since    string
	}{
		"nothing":           {"2026-05-01T03:00:00Z", "2026-05-01T12:00:00Z", "0", "0"},
		"a moment ago":      {"2026-05-01T03:00:00Z", "2026-05-02T03:00:20Z", "1", "0"},
		"days and a moment": {"2026-05-01T03:00:00Z", "2026-05-04T03:00:20Z", "1", "0"},
		"hours ago":         {"2026-05-01T03:00:00Z", "2026-05-02T08:00:00Z", "0", "1"},
		"at once":           {"2026-05-01T03:00:00Z", "2026-05-01T03:00:00Z", "0", "0"},
	} {
		folder := t.TempDir()
		before, _ := telling(t, folder, "exit 0")
		if err := before.remember(State{Due: at(test.due), Outcome: succeeded}); err != nil {
			t.Fatal(err)
		}
		s, _ := telling(t, folder, "exit 0")
		s.now = func() time.Time { return at(test.now) }
		for range 2 { // the second time, nothing is left
			var all sync.WaitGroup
			s.catchUp(&all)
			all.Wait()
		}
		if got := s.metrics(); !strings.Contains(got, `outcome="succeeded"} `+test.runs+"\n") || !strings.Contains(got, `schedule_due_since_success{schedule="report"} `+test.since+"\n") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

func TestARunOutlivesItsContainersEnd(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		grace  time.Duration
		want   outcome
	}{"for its grace": {"until [ -e $FILE ]; do sleep 0.01; done", time.Minute, succeeded}, "no longer": {"sleep 60", 20 * time.Millisecond, interrupted}} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, "go")
			t.Setenv("FILE", file)
			s, _ := telling(t, folder, test.script, func(o *Options) { o.Grace, o.Retries = test.grace, 5 })
			ctx, end := t.Context(), make(chan struct{})
			s.now = func() time.Time { return time.Date(2026, 5, 1, 3, 0, 1, 0, time.UTC) } // a second late
			s.state.Due = time.Date(2026, 4, 30, 3, 0, 0, 0, time.UTC)
			stop := make(chan struct{})
			go func() { s.serve(until(ctx, stop)); close(end) }()
			eventually(t, "it runs", func() bool { return !s.runningSince().IsZero() })
			close(stop)
			eventually(t, "it is told to end", s.isStopping)
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			<-end
			state, err := s.recall()
			if err != nil || state.Outcome != test.want {
				t.Errorf("%v: %+v", err, state)
			}
		})
	}
}

func TestRunNow(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "go")
	t.Setenv("FILE", file)
	s, told := telling(t, folder, "echo its line; until [ -e $FILE ]; do sleep 0.01; done; echo to stderr >&2; exit 7", func(o *Options) { o.Retries = 3 })
	path := filepath.Join(folder, "s")
	stop, err := s.listen(path, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := healthy(path); err != nil {
		t.Error(err)
	}
	out, code := &bytes.Buffer{}, make(chan int)
	go func() {
		got, err := runNow(path, out)
		if err != nil {
			t.Error(err)
		}
		code <- got
	}()
	eventually(t, "it runs", func() bool { return !s.runningSince().IsZero() })
	if second, err := runNow(path, io.Discard); second != busy || err != nil {
		t.Errorf("beside it: %d %v", second, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != 7 || out.String() != "its line\nto stderr\n" {
		t.Errorf("%d %q", got, out.String())
	}
	want(t, s, `schedule_runs_total{schedule="report",outcome="failed"} 1`)
	if strings.Count(told.String(), `"started"`) != 1 {
		t.Errorf("who watches is asked before it is tried again: %s", told)
	}
}

func TestOnlyOneServes(t *testing.T) {
	s, _ := telling(t, t.TempDir(), "exit 0")
	unlock, err := lock(t.Context(), s.Options, s.log)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan struct{})
	go func() {
		if second, err := lock(t.Context(), s.Options, s.log); err != nil {
			t.Error(err)
		} else {
			defer second()
		}
		close(got)
	}()
	select {
	case <-got:
		t.Fatal("two serve")
	case <-time.After(300 * time.Millisecond):
	}
	unlock()
	<-got
}

func TestInstall(t *testing.T) {
	folder := t.TempDir()
	for range 2 { // also over itself
		if err := install(folder, "scheduler-4"); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(folder, "scheduler-4"))
	if err != nil || info.Mode() != 0o755 || info.Size() == 0 {
		t.Errorf("%v %v", err, info)
	}
	if current, err := os.Readlink(filepath.Join(folder, "current")); err != nil || current != "scheduler-4" {
		t.Errorf("%v: the current one is %s", err, current)
	}
	info, err = os.Stat(filepath.Join(folder, "state"))
	if err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("%v %v", err, info)
	}
}

func TestWhatItIsTold(t *testing.T) {
	o, err := options([]string{"--name", "report", "--state", "/s", "--cron", "0 3 * * *", "--zone", "Asia/Shanghai", "--limit", "5s", "--grace", "6s", "--retries", "2", "--pause", "7s", "--wait", "--", "python", "-m", "x", "--flag"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(o.Command)
	if string(text) != `["python","-m","x","--flag"]` || o.Limit != 5e9 || o.Grace != 6e9 || o.Retries != 2 || o.Pause != 7e9 || !o.Wait || o.State != "/s" {
		t.Errorf("%+v", o)
	}
	for _, args := range [][]string{{"--state", "/s", "--cron", "* * * * *"}, {"--cron", "* * * * *", "--", "x"}, {"--state", "/s", "--cron", "*", "--", "x"}} {
		if _, err := options(args); err == nil {
			t.Errorf("%q is enough", args)
		}
	}
}

// until is a context that ends with the channel.
func until(ctx context.Context, stop <-chan struct{}) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() { <-stop; cancel() }()
	return ctx
}
