package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// commandTime is longer than any command here takes, but for a cold toolchain.
const commandTime = 10 * time.Minute

// command is a program to run.
type command struct {
	dir  string
	env  []string // added to, or in place of, the environment's
	only bool     // env is the whole environment
	line func(string)
	args []string
}

// run returns the standard output, and how long it took.
func (c command) run(ctx context.Context) (string, time.Duration, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commandTime)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env = c.dir, c.env
	if !c.only {
		cmd.Env = append(os.Environ(), c.env...)
	}
	// A group of its own: Ctrl-C reaches it through the context, and never while
	// it cleans up. SIGINT, so that Pulumi can write its state before it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if c.line != nil {
		reader, writer := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for s := bufio.NewScanner(reader); s.Scan(); {
				c.line(s.Text())
			}
			_, _ = io.Copy(io.Discard, reader)
		}()
		cmd.Stdout = io.MultiWriter(&out, writer)
		defer func() { _ = writer.Close(); <-done }()
	}
	started := time.Now()
	err := cmd.Run()
	took := time.Since(started)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(c.args[:min(len(c.args), 4)], " "), err, tail(out.String()+errors.String()))
	}
	return out.String(), took, err
}

// tail is the end of a log.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// output runs a command whose time does not matter.
func output(ctx context.Context, args ...string) (string, error) {
	out, _, err := command{args: args}.run(ctx)
	return strings.TrimSpace(out), err
}
