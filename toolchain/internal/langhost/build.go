package langhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// What takes longer than this says so; a first build compiles the Docker SDK and takes minutes.
const silence = 5 * time.Second

// A process that was interrupted has this long to end before it is killed. The engine gives us 5 seconds in all.
const grace = 3 * time.Second

// build brings the executable up to date and returns a function that has to be called once it was started. Until then
// no other run of the same program may replace it: a half-written file cannot be executed.
func (p program) build(ctx context.Context, progress io.Writer) (started func(), err error) {
	if p.prebuilt {
		return func() {}, nil
	}
	unlock, err := lock(ctx, p.exe)
	if err != nil {
		return nil, err
	}
	if p.cached {
		if err := noteSource(filepath.Dir(p.exe), p.dir); err != nil {
			unlock()
			return nil, err
		}
	}
	slow := time.AfterFunc(silence, func() {
		fmt.Fprintln(progress, "compiling the program; the first time takes minutes ...")
	})
	defer slow.Stop()

	// No version control stamp: it would link anew after every commit, and it fails in a repository of another user.
	cmd := command(ctx, p.dir, "go", "build", "-buildvcs=false", "-o", p.exe, p.pkg)
	if err := runBuild(cmd, progress); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// runBuild shows downloads as they happen and puts the compiler's errors, which come at the end, into one error.
func runBuild(cmd *exec.Cmd, progress io.Writer) error {
	var output bytes.Buffer
	cmd.Stderr = io.MultiWriter(&output, &downloads{to: progress})
	cmd.Stdout = cmd.Stderr // the same writer, so that there is one goroutine that writes
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("there is no go command on the PATH, and the program has to be compiled")
	}
	return fmt.Errorf("the program does not build (%s: %w):\n%s",
		strings.Join(cmd.Args[:2], " "), err, withoutDownloads(output.String()))
}

// command is one that is interrupted, and then killed, when ctx ends.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = grace
	return cmd
}

// lock makes builds of one executable wait for each other; two stacks of a program may be updated at the same time.
func lock(ctx context.Context, exe string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(exe), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(exe+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil // closing unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			file.Close()
			return nil, fmt.Errorf("locking %s: %w", file.Name(), err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

const downloading = "go: downloading "

// downloads passes on what go says about downloads, line by line, and nothing else.
type downloads struct {
	to   io.Writer
	rest []byte
}

func (d *downloads) Write(data []byte) (int, error) {
	d.rest = append(d.rest, data...)
	for {
		line, rest, found := bytes.Cut(d.rest, []byte("\n"))
		if !found {
			return len(data), nil
		}
		if bytes.HasPrefix(line, []byte(downloading)) {
			fmt.Fprintf(d.to, "%s\n", line)
		}
		d.rest = rest
	}
}

func withoutDownloads(output string) string {
	var kept []string
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, downloading) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
