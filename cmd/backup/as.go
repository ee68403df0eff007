package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// readsAll is CAP_DAC_READ_SEARCH: it reads files whoever they are of, and writes none.
const readsAll = 2

// as runs a command as another user, who may read what is others'. Only root may do that, with
// that capability and those to become somebody else: what a user may is not kept where an
// engine starts a container as that user. It ends as the command does, and hands on what asks it
// to end.
func as(_ context.Context, args []string) error {
	if len(args) < 3 || args[1] != "--" {
		return errors.New("as wants USER -- COMMAND")
	}
	uid, gid, err := numbers(args[0])
	if err != nil {
		return err
	}
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}, AmbientCaps: []uintptr{readsAll}}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("as %s: %w", args[0], err)
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return exit(128 + int(status.Signal()))
		}
		return exit(ended.ExitCode())
	}
	return err
}

// numbers reads uid:gid.
func numbers(user string) (uid, gid uint32, err error) {
	first, second, _ := strings.Cut(user, ":")
	u, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("user %q: want uid:gid", user)
	}
	g, err := strconv.ParseUint(second, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("user %q: want uid:gid", user)
	}
	return uint32(u), uint32(g), nil
}
