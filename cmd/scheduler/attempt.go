package main

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// killAfter is the time between SIGTERM and SIGKILL.
const killAfter = 10 * time.Second

// outcome is how a run has ended.
type outcome string

const (
	succeeded   outcome = "succeeded"
	failed      outcome = "failed"
	timedOut    outcome = "timeout"     // its time was up
	interrupted outcome = "interrupted" // the scheduler had to end
)

// ended is what became of an attempt.
type ended struct {
	outcome outcome
	// code is its exit code; -1 where a signal has ended it or it has not started.
	code int
	err  error
}

// dueVariable tells a command for which time it runs, in UTC: the same in each attempt, and
// where it runs late.
const dueVariable = "SCHEDULE_DUE"

// attempt runs a command in a group of its own, and stops the group when its time is up: by
// SIGTERM, and SIGKILL later. Nothing of it is left when this returns. What it prints goes to
// the scheduler's own output; and to tee, where that is not nil.
func attempt(words []string, due time.Time, limit time.Duration, over <-chan struct{}, tee io.Writer) ended {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), dueVariable+"="+due.UTC().Format(time.RFC3339))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if tee != nil {
		both := io.MultiWriter(os.Stdout, tee)
		cmd.Stdout, cmd.Stderr = both, both
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // what it leaves behind may hold its output open
	if err := cmd.Start(); err != nil {
		return ended{failed, -1, err}
	}
	group := -cmd.Process.Pid
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	e := ended{outcome: succeeded}
	select {
	case err = <-done:
	case <-timer.C:
		e.outcome, err = timedOut, terminate(group, done)
	case <-over:
		e.outcome, err = interrupted, terminate(group, done)
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // what it has left
	reap()
	e.code, e.err = cmd.ProcessState.ExitCode(), err
	if e.outcome == succeeded && e.code != 0 {
		e.outcome = failed
	}
	return e
}

func terminate(group int, done <-chan error) error {
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case err := <-done:
		return err
	case <-time.After(killAfter):
		_ = syscall.Kill(group, syscall.SIGKILL)
		return <-done
	}
}

// reap takes leave of processes that have come to this one as the container's first. There
// is no other child when it is called: attempts come one after the other.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}
