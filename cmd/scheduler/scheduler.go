package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"tarot-platform/internal/cron"
)

// Options are what a scheduler is told.
type Options struct {
	Name     string
	State    string
	Schedule cron.Schedule
	Command  []string
	// Limit is how long an attempt may take, and Grace how long what runs may go on when the
	// scheduler has to end.
	Limit, Grace time.Duration
	// Retries are the attempts after one that failed, with a Pause before each.
	Retries int
	Pause   time.Duration
	// Wait has what is due while the last one runs wait for its end; else it is left out.
	Wait bool
}

// late is how long after its time something is still run: longer than a release takes to
// replace a scheduler, and shorter than what would surprise somebody.
const late = 10 * time.Minute

// scheduler runs a command when it is due, never twice at once.
type scheduler struct {
	Options
	log *slog.Logger
	now func() time.Time

	// running is held by the run that is under way, and waiting by the one that is next.
	running, waiting sync.Mutex
	// stopping is closed when nothing is to begin any more, and over when nothing may go on.
	stopping, over chan struct{}

	mu      sync.Mutex
	state   State
	since   time.Time // when what runs began; zero: nothing runs
	next    time.Time
	runs    map[outcome]int
	skipped int
}

func newScheduler(o Options, log *slog.Logger) (*scheduler, error) {
	state, err := o.recall()
	if err != nil {
		return nil, err
	}
	return &scheduler{Options: o, log: log, now: time.Now, state: state, runs: map[outcome]int{},
		stopping: make(chan struct{}), over: make(chan struct{})}, nil
}

// serve runs the command when it is due, until the context ends; then it waits for the run
// that is under way.
func (s *scheduler) serve(ctx context.Context) {
	var all sync.WaitGroup
	last := s.catchUp(&all)
	for {
		due := s.Schedule.Next(last)
		s.set(func() { s.next = due })
		if !s.sleep(ctx, due) {
			break
		}
		last = due
		s.due(&all, due)
	}
	close(s.stopping)
	timer := time.AfterFunc(s.Grace, func() { close(s.over) })
	defer timer.Stop()
	if since := s.runningSince(); !since.IsZero() {
		s.log.Info("ending; waiting for what runs", "grace", s.Grace.String())
	}
	all.Wait()
	s.running.Lock() // also one that somebody has asked for
	s.log.Info("ended")
}

// sleep returns at a time, looking at the clock now and then: it may be set. false: the
// context has ended.
func (s *scheduler) sleep(ctx context.Context, until time.Time) bool {
	for {
		left := until.Sub(s.now())
		if left <= 0 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(min(left, 10*time.Second)):
		}
	}
}

// catchUp runs what was due while no scheduler was there, once, where that is not long ago.
// It returns the time from which on all is still to come.
func (s *scheduler) catchUp(all *sync.WaitGroup) time.Time {
	now := s.now()
	due := s.state.Due
	if due.IsZero() || due.After(now) {
		s.set(func() { s.state.Due = now })
		s.save()
		s.log.Info("serving", "next", s.Schedule.Next(now))
		return now
	}
	var missed time.Time
	for next := s.Schedule.Next(due); !next.IsZero() && !next.After(now); next = s.Schedule.Next(next) {
		missed = next
	}
	s.log.Info("serving", "next", s.Schedule.Next(now))
	switch {
	case missed.IsZero():
	case now.Sub(missed) <= late:
		s.log.Info("it was due while no scheduler was there, and runs now", "due", missed)
		s.due(all, missed)
	default:
		s.log.Warn("it was due while no scheduler was there, too long ago to be run now", "due", missed)
		s.set(func() { s.state.Due = missed; s.state.Since++ })
		s.save()
	}
	return now
}

// due deals with one time: what has begun, or was left out, is not begun again.
func (s *scheduler) due(all *sync.WaitGroup, at time.Time) {
	s.set(func() { s.state.Due = at; s.state.Since++ })
	s.save()
	if s.running.TryLock() {
		all.Go(func() { defer s.running.Unlock(); s.run(at, nil, s.Retries) })
		return
	}
	if s.Wait && s.waiting.TryLock() {
		s.log.Warn("it is due while it still runs, and waits", "running since", s.runningSince())
		all.Go(func() {
			s.running.Lock()
			defer s.running.Unlock()
			s.waiting.Unlock()
			if !s.isStopping() {
				s.run(at, nil, s.Retries)
			}
		})
		return
	}
	s.set(func() { s.skipped++ })
	s.log.Warn("it is due while it still runs, and is left out", "running since", s.runningSince())
}

// run runs the command for the time that it was due at, and again where it fails. Who calls
// it holds running.
func (s *scheduler) run(due time.Time, tee io.Writer, retries int) ended {
	began := s.now()
	s.set(func() { s.since = began })
	var e ended
	for again := 0; ; again++ {
		s.log.Info("started", "attempt", again+1)
		e = attempt(s.Command, due, s.Limit, s.over, tee)
		if e.outcome == succeeded || e.outcome == interrupted || again >= retries || s.isStopping() {
			break
		}
		s.log.Warn("failed, and is tried again", "outcome", string(e.outcome), "exit code", e.code, "pause", s.Pause.String())
		select {
		case <-s.stopping:
		case <-time.After(s.Pause):
			continue
		}
		break
	}
	took := s.now().Sub(began)
	s.set(func() {
		s.since, s.runs[e.outcome] = time.Time{}, s.runs[e.outcome]+1
		s.state.Began, s.state.Took, s.state.Code, s.state.Outcome = began, took, e.code, e.outcome
		if e.outcome == succeeded {
			s.state.Succeeded, s.state.Since = s.now(), 0
		}
	})
	s.save()
	if e.outcome == succeeded {
		s.log.Info("succeeded", "took", took.Round(time.Millisecond).String())
	} else {
		text := ""
		if e.err != nil {
			text = e.err.Error()
		}
		s.log.Error("failed", "outcome", string(e.outcome), "exit code", e.code, "took", took.Round(time.Millisecond).String(), "error", text)
	}
	return e
}

// save writes the state down. What can't be written is told, and no reason not to run.
func (s *scheduler) save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remember(s.state); err != nil {
		s.log.Error("what has run can't be written down: after a restart it may run again", "error", err.Error())
	}
}

func (s *scheduler) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *scheduler) runningSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since
}

func (s *scheduler) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}
