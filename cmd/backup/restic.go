package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tarot-platform/internal/backup/target"
)

// The exit codes of restic. All others are 1: it has failed.
const (
	resticIncomplete = 3 // some of what it was to read could not be read
	resticNone       = 10
	resticLocked     = 11
	resticWrongKey   = 12
)

// resticFailed is an exit code other than 0.
type resticFailed struct {
	command string
	code    int
	said    string
}

func (f *resticFailed) Error() string {
	return fmt.Sprintf("restic %s: exit code %d: %s", f.command, f.code, f.said)
}

// resticCode is restic's exit code; 0: it is another error, or none.
func resticCode(err error) int {
	var failed *resticFailed
	if errors.As(err, &failed) {
		return failed.code
	}
	return 0
}

// restic is the program, with a repository.
type restic struct {
	program string
	// words come before those of each command.
	words []string
	// env are the variables with the repository, and with what opens it.
	env []string
	log *slog.Logger
	// pause is the time between two tries where somebody has locked the repository, and
	// patience the time for all of them: a lock that a killed restic has left counts for 30
	// minutes. (https://restic.readthedocs.io: `unlock` removes only those that are older.)
	pause, patience time.Duration
}

// newRestic is restic for a target. work is a folder for what it wants in a file.
func newRestic(program, key, work string, t target.Target, log *slog.Logger) (restic, error) {
	repository, variables := t.Restic()
	r := restic{program: program, log: log, pause: time.Minute, patience: 40 * time.Minute,
		env: append(os.Environ(), "RESTIC_REPOSITORY="+repository, "RESTIC_PASSWORD_FILE="+key)}
	for name, value := range variables {
		r.env = append(r.env, name+"="+value)
	}
	if t.Kind == target.SFTP {
		known := filepath.Join(work, "known_hosts")
		if err := os.WriteFile(known, []byte(t.KnownHosts()), 0o600); err != nil {
			return r, err
		}
		r.words = t.ResticOptions(known)
	}
	return r, nil
}

// run runs a command. What it prints goes to out, and what it complains of to the log.
func (r restic) run(ctx context.Context, out io.Writer, words ...string) error {
	cmd := exec.CommandContext(ctx, r.program, append(append([]string{}, r.words...), words...)...)
	cmd.Env = r.env
	said := &lines{tell: func(text string) { r.log.Warn("restic: "+text, "command", words[0]) }}
	cmd.Stdout, cmd.Stderr = out, said
	// It removes its lock when it is asked to end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	err := cmd.Run()
	said.end()
	if over := ctx.Err(); over != nil && err != nil {
		return fmt.Errorf("restic %s was interrupted: %w", words[0], over)
	}
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return &resticFailed{words[0], exited.ExitCode(), said.last}
	}
	if err != nil {
		return fmt.Errorf("restic %s: %w", words[0], err)
	}
	return nil
}

// output is what a command prints.
func (r restic) output(ctx context.Context, words ...string) ([]byte, error) {
	var out bytes.Buffer
	err := r.run(ctx, &out, words...)
	return out.Bytes(), err
}

// read decodes the one JSON value that a command prints.
func (r restic) read(ctx context.Context, value any, words ...string) error {
	out, err := r.output(ctx, words...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, value); err != nil {
		return fmt.Errorf("restic %s: its answer can not be read: %w", words[0], err)
	}
	return nil
}

// patient does something again as long as somebody has locked the repository. Locks that are
// left of somebody who was killed are removed once restic takes them for that: never those of
// somebody who may live.
func (r restic) patient(ctx context.Context, do func() error) error {
	end := time.Now().Add(r.patience)
	for told := false; ; told = true {
		err := do()
		if resticCode(err) != resticLocked || !time.Now().Before(end) {
			return err
		}
		if !told {
			r.log.Warn("the repository is locked: waiting", "for", r.patience.String(), "why", err.Error())
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(r.pause):
		}
		if err := r.unlock(ctx); err != nil {
			return err
		}
	}
}

// unlock removes the locks of those who are known to be gone.
func (r restic) unlock(ctx context.Context) error { return r.run(ctx, io.Discard, "unlock") }

// locks counts those that are left.
func (r restic) locks(ctx context.Context) (int, error) {
	out, err := r.output(ctx, "list", "locks", "--no-lock")
	return len(bytes.Fields(out)), err
}

// snapshot is one in the repository.
type snapshot struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	Tags []string  `json:"tags"`
}

// snapshots are the stack's that have a tag, the oldest first.
func (r restic) snapshots(ctx context.Context, stack, tag string) (all []snapshot, err error) {
	err = r.read(ctx, &all, "snapshots", "--json", "--no-lock", "--host", stack, "--tag", tag)
	return all, err
}

// lines is a writer that tells each line. restic with --json complains in JSON, too.
type lines struct {
	tell func(string)
	rest []byte
	last string
}

func (l *lines) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(text), nil
		}
		l.line(string(line))
		l.rest = rest
	}
}

func (l *lines) end() {
	l.line(string(l.rest))
	l.rest = nil
}

func (l *lines) line(text string) {
	var complaint struct {
		Message string `json:"message"`
		Item    string `json:"item"`
		Error   struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(text), &complaint) == nil {
		text = strings.Trim(complaint.Message+complaint.Error.Message+" "+complaint.Item, " ")
	}
	if text = strings.TrimSpace(text); text != "" {
		l.last = text
		l.tell(text)
	}
}

// eachLine reads what a program prints as JSON, a value a line, while it prints it.
func eachLine(run func(io.Writer) error, read func(line []byte) error) error {
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(to)
		_ = to.Close()
		done <- err
	}()
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 8<<20)
	var wrong error
	for scanner.Scan() {
		if wrong == nil {
			wrong = read(scanner.Bytes())
		}
	}
	wrong = errors.Join(wrong, scanner.Err())
	_ = from.Close()
	if err := <-done; err != nil {
		return err
	}
	return wrong
}
