package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tarot-platform/internal/backup/durable"
	"tarot-platform/internal/backup/postgres"
)

// Recovered is a cluster that was restored, and lives for as long as it is looked at.
type Recovered struct {
	Server postgres.Server
	// Last is when what it has got last was committed; zero: nothing since its backup. LSN is where the log ended.
	Last time.Time
	LSN  uint64
	// Reached is true where that was the moment; false: the archive has nothing from after it.
	Reached bool
}

// recoveryStart is how long a server may take to say that it starts at all; bringing in the log may take as long as
// it takes.
const recoveryPoll = 200 * time.Millisecond

// Restore brings a cluster into a new folder, to the moment that was chosen, and has somebody look at it. After that it is
// stopped, and can take the live one's place: it is on a timeline of its own, and all of that still waits to be archived. Work is
// a folder for what is needed meanwhile. Both belong to the server's user.
func (a Archive) Restore(ctx context.Context, c Choice, folder, work string, look func(Recovered) error) error {
	if err := a.own(folder, 0o700); err != nil {
		return err
	}
	if _, err := a.Do(ctx, "--pg1-path="+folder, "--set="+c.Label, "--type=default", "restore"); err != nil {
		return err
	}
	if err := a.settle(folder); err != nil {
		return err
	}
	err := a.recover(ctx, c, folder, work, !c.At.IsZero(), look)
	if errors.Is(err, errNotReached) {
		err = a.recover(ctx, c, folder, work, false, look)
	}
	return err
}

// errNotReached is what the server says where nothing was committed after the moment.
var errNotReached = errors.New("recovery ended before configured recovery target was reached")

// own makes a folder of the server's user.
func (a Archive) own(folder string, mode os.FileMode) error {
	if err := durable.MkdirAll(folder); err != nil {
		return err
	}
	if err := os.Chmod(folder, mode); err != nil {
		return err
	}
	if a.Server.As == nil {
		return nil
	}
	return os.Chown(folder, int(a.Server.As.Uid), int(a.Server.As.Gid))
}

// said is what a server says, of which the end is kept.
type said struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.text.Len() > 64<<10 {
		s.text.Next(32 << 10)
	}
	return s.text.Write(p)
}

func (s *said) String() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.text.String()
}

// settings of a server that brings the log in. Nobody gets at it by a network. It has archiving on, without a command: what it writes
// itself, and the history of its new timeline, wait for the live server to archive them. Without that, the next restore would
// take the same timeline, and both would write the same.
func (a Archive) settings(c Choice, folder, work string, to bool) []string {
	fetch := strings.Join(a.words("--pg1-path="+folder, "archive-get", "%f", `"%p"`), " ")
	all := map[string]string{
		"config_file": filepath.Join(work, "postgresql.conf"), "hba_file": filepath.Join(work, "pg_hba.conf"), "ident_file": filepath.Join(work, "pg_ident.conf"),
		"listen_addresses": "", "unix_socket_directories": work, "hot_standby": "off", "shared_buffers": "64MB", "dynamic_shared_memory_type": "mmap",
		"archive_mode": "on", "archive_command": "", "wal_level": "replica", "max_wal_size": "1GB", "jit": "off", "logging_collector": "off", "log_destination": "stderr",
		"restore_command": fetch, "recovery_target_timeline": strconv.FormatUint(uint64(c.Along), 10), "recovery_target_action": "promote",
		"shared_preload_libraries": "", "max_connections": "20", "ssl": "off",
	}
	if to {
		all["recovery_target_time"] = c.At.UTC().Format("2006-01-02 15:04:05.999999+00")
	}
	words := []string{filepath.Join(a.Server.Programs, "postgres"), "-D", folder}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		words = append(words, "-c", name+"="+all[name])
	}
	return words
}

func (a Archive) recover(ctx context.Context, c Choice, folder, work string, to bool, look func(Recovered) error) error {
	if err := a.own(work, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"postgresql.conf": "", "pg_hba.conf": "local all postgres peer\n", "pg_ident.conf": ""} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil { //nolint:gosec // the server is another user
			return err
		}
	}
	words := a.settings(c, folder, work, to)
	cmd := exec.Command(words[0], words[1:]...)
	log := &said{}
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.Server.As}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	server := postgres.Server{Programs: a.Server.Programs, Socket: work, As: a.Server.As}
	r, err := promoted(ctx, server, ended, log)
	if r.Server = server; err == nil {
		r.Reached = to
		err = look(r)
	}
	// It writes down what it has, and so takes the time that it takes.
	if stopped := stop(cmd, ended); err == nil && stopped != nil {
		err = fmt.Errorf("the restored server did not stop: %w: %s", stopped, last(log.String()))
	}
	return err
}

// promoted waits until a server has brought in all that it is to.
func promoted(ctx context.Context, server postgres.Server, ended chan error, log *said) (r Recovered, err error) {
	for {
		text, err := server.Ask(ctx, "postgres", "SELECT json_build_object('recovers', pg_is_in_recovery(), 'last', extract(epoch FROM pg_last_xact_replay_timestamp())::float8, 'lsn', CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn()::text END);")
		if err == nil {
			var answer struct {
				Recovers bool
				Last     *float64
				LSN      *string
			}
			if err := json.Unmarshal([]byte(text), &answer); err != nil {
				return r, err
			}
			if !answer.Recovers && answer.LSN != nil {
				if answer.Last != nil {
					r.Last = time.UnixMicro(int64(*answer.Last * 1e6)).UTC()
				}
				r.LSN, err = ParseLSN(*answer.LSN)
				return r, err
			}
		}
		select {
		case why := <-ended:
			ended <- why
			if strings.Contains(log.String(), errNotReached.Error()) {
				return r, errNotReached
			}
			return r, fmt.Errorf("the restored server has ended: %w: %s", errors.Join(why, err), last(log.String()))
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(recoveryPoll):
		}
	}
}

// stop ends a server in the orderly way.
func stop(cmd *exec.Cmd, ended chan error) error {
	select {
	case <-ended:
		return nil // it has said why
	default:
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(5 * time.Minute):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		return errors.New("within 5 minutes")
	}
}

// last are the last lines of a log.
func last(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}

// settle takes out of a restored cluster's own settings what is meant for a restore: this one's is said on the command line. It goes
// before the settings that the stack gives, so that what is left there would count.
func (a Archive) settle(folder string) error {
	file := filepath.Join(folder, "postgresql.auto.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := durable.Write(file, []byte(settled(string(text))), 0o600); err != nil {
		return err
	}
	if a.Server.As != nil {
		return os.Chown(file, int(a.Server.As.Uid), int(a.Server.As.Gid))
	}
	return nil
}

func settled(text string) string {
	var left strings.Builder
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "=")
		if name == "restore_command" || strings.HasPrefix(name, "recovery_target") || strings.HasPrefix(name, "archive_") || strings.Contains(line, "generated by pgBackRest") {
			continue
		}
		left.WriteString(line)
	}
	return left.String()
}
