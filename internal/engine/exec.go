package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// ExitError is a command that has run, and failed.
type ExitError struct {
	Code int
	// Said is its standard error, without a line end.
	Said string
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d: %s", e.Code, e.Said) }

// Exec runs a command in a workload's container, and returns its standard output.
// It is an error where none runs here, and an ExitError where the command fails.
func (e *Engine) Exec(ctx context.Context, prefix, workload string, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out, errs bytes.Buffer
	err := e.exec(ctx, prefix, workload, nil, &out, &errs, func() string { return strings.TrimSpace(errs.String()) }, command)
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

// ExecWith is Exec for a command that reads the input.
func (e *Engine) ExecWith(ctx context.Context, prefix, workload, input string, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out, errs bytes.Buffer
	err := e.exec(ctx, prefix, workload, strings.NewReader(input), &out, &errs, func() string { return strings.TrimSpace(errs.String()) }, command)
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

// ExecTo is Exec for a command that takes its time: what it prints is passed on as it comes, and
// no part of an error.
func (e *Engine) ExecTo(ctx context.Context, prefix, workload string, out, errs io.Writer, command ...string) error {
	return e.exec(ctx, prefix, workload, nil, out, errs, func() string { return "" }, command)
}

// exec runs a command, with an input or, where that is nil, none; said is asked for its standard error when it has failed.
func (e *Engine) exec(ctx context.Context, prefix, workload string, in io.Reader, out, errs io.Writer, said func() string, command []string) error {
	found, err := e.workload(ctx, prefix, workload, false)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no container of %s-%s runs on this engine", prefix, workload)
	}
	return e.execIn(ctx, found[0].ID, name(found[0]), in, out, errs, said, command)
}

// execIn is exec in the container of that id, which errors call by its title.
func (e *Engine) execIn(ctx context.Context, id, title string, in io.Reader, out, errs io.Writer, said func() string, command []string) error {
	failed := func(err error) error { return fmt.Errorf("%s in %s: %w", command[0], title, err) }
	created, err := e.api.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: command, AttachStdin: in != nil, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return failed(err)
	}
	stream, err := e.api.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return failed(err)
	}
	defer stream.Close()
	context.AfterFunc(ctx, stream.Close) // nothing else ends a read of it
	if in != nil {
		if _, err := io.Copy(stream.Conn, in); err != nil {
			return failed(err)
		}
		if err := stream.CloseWrite(); err != nil {
			return failed(err)
		}
	}
	if _, err := stdcopy.StdCopy(out, errs, stream.Reader); err != nil {
		return failed(err)
	}
	ended, err := e.api.ContainerExecInspect(ctx, created.ID)
	if err != nil {
		return failed(err)
	}
	if ended.ExitCode != 0 {
		return failed(&ExitError{ended.ExitCode, said()})
	}
	return nil
}
