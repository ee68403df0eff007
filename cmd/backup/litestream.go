package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

// oldest is the oldest litestream that is let near a database: those before it write backups
// that can't be restored, and say nothing.
var oldest = [3]int{0, 5, 17}

// litestreamConfig is litestream's configuration file.
type litestreamConfig struct {
	Addr             string         `yaml:"addr,omitempty"`
	Socket           *socketConfig  `yaml:"socket,omitempty"`
	Logging          loggingConfig  `yaml:"logging"`
	Levels           []interval     `yaml:"levels"`
	Snapshot         snapshotConfig `yaml:"snapshot"`
	L0Retention      string         `yaml:"l0-retention"`
	Validation       interval       `yaml:"validation"`
	VerifyCompaction bool           `yaml:"verify-compaction"`
	ShutdownTimeout  string         `yaml:"shutdown-timeout"`
	DBs              []databaseFile `yaml:"dbs"`
}

type socketConfig struct {
	Enabled     bool   `yaml:"enabled"`
	Path        string `yaml:"path"`
	Permissions int    `yaml:"permissions"`
}

type loggingConfig struct {
	Type   string `yaml:"type"`
	Stderr bool   `yaml:"stderr"`
}

type interval struct {
	Interval string `yaml:"interval"`
}

type snapshotConfig struct {
	Interval  string `yaml:"interval"`
	Retention string `yaml:"retention"`
}

type databaseFile struct {
	Path               string         `yaml:"path"`
	MetaPath           string         `yaml:"meta-path"`
	MonitorInterval    string         `yaml:"monitor-interval"`
	CheckpointInterval string         `yaml:"checkpoint-interval"`
	BusyTimeout        string         `yaml:"busy-timeout"`
	MinCheckpointPages int            `yaml:"min-checkpoint-page-count"`
	TruncatePages      int            `yaml:"truncate-page-n"`
	Replica            replicaSetting `yaml:"replica"`
}

type replicaSetting struct {
	target.Replica `yaml:",inline"`
	SyncInterval   string `yaml:"sync-interval"`
	AutoRecover    bool   `yaml:"auto-recover"`
}

// litestreamSettings is what a configuration file is made of.
type litestreamSettings struct {
	Database, Meta string
	Replica        target.Replica
	Retention, L0  time.Duration
	// Address is for metrics, and Socket for questions; empty: it is only to be read from.
	Address, Socket string
}

// config is litestream.yml. What is logged goes to the standard error, away from JSON. There are
// ten full copies in a retention, not one a day: each is as large as the database. The levels
// between them follow the retention: all of them are kept as long as the oldest copy, and
// listed in every restore.
func (s litestreamSettings) config() litestreamConfig {
	first := 30 * time.Second
	if part := s.Retention / 20000; part > first {
		first = (part + time.Minute - 1).Truncate(time.Minute)
	}
	c := litestreamConfig{
		Addr:             s.Address,
		Logging:          loggingConfig{Type: "json", Stderr: true},
		Levels:           []interval{{first.String()}, {(10 * first).String()}, {(100 * first).String()}},
		Snapshot:         snapshotConfig{Interval: max(24*time.Hour, s.Retention/10).String(), Retention: s.Retention.String()},
		L0Retention:      s.L0.String(),
		Validation:       interval{"10m"},
		VerifyCompaction: true,
		ShutdownTimeout:  "30s",
		DBs: []databaseFile{{
			Path: s.Database, MetaPath: s.Meta,
			MonitorInterval: "1s", CheckpointInterval: "1m", BusyTimeout: "5s", MinCheckpointPages: 1000, TruncatePages: 121359,
			// What users write is looked at each second, and sent in half of one: two together would be all of what may
			// be lost, and the time to send it not yet in it. There are no more files to send than looks.
			// What it can't go on with is told, and begun anew under another number.
			Replica: replicaSetting{Replica: s.Replica, SyncInterval: "500ms", AutoRecover: false},
		}},
	}
	if s.Socket != "" {
		c.Socket = &socketConfig{Enabled: true, Path: s.Socket, Permissions: 0o600}
	}
	return c
}

func (s litestreamSettings) file() ([]byte, error) { return yaml.Marshal(s.config()) }

// write writes it where only its own user reads it: it has what opens the target.
func (s litestreamSettings) write(path string) error {
	text, err := s.file()
	if err != nil {
		return err
	}
	_ = os.Remove(path) // of a container before this one, with any mode
	return os.WriteFile(path, text, 0o600)
}

// ltxFile is one of litestream's files on a target.
type ltxFile struct {
	Level     int       `json:"level"`
	MaxTXID   string    `json:"max_txid"`
	Size      int64     `json:"size"`
	Timestamp time.Time `json:"timestamp"`
}

// askLitestream has a litestream of its own read a history, by a configuration file that is
// there as long as it asks: it takes what opens a target from nowhere else. Neither the
// database nor what is beside it is opened.
func askLitestream(ctx context.Context, program, work string, s litestreamSettings, answer any, words ...string) error {
	folder, err := os.MkdirTemp(work, "ask")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	config := filepath.Join(folder, "litestream.yml")
	s.Address, s.Socket = "", ""
	if err := s.write(config); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	words = append(words, "-config", config, "-no-expand-env", "-json", s.Database)
	cmd := exec.CommandContext(ctx, program, words...)
	var told bytes.Buffer
	cmd.Stderr = &told
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("litestream %s: %w: %s", words[0], err, lastLine(told.String()))
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("litestream %s: %w", words[0], err)
	}
	return nil
}

// listFiles asks litestream for all files of a history. No file is an empty list; what could
// not be asked is an error.
func listFiles(ctx context.Context, program, work string, s litestreamSettings) (files []ltxFile, err error) {
	err = askLitestream(ctx, program, work, s, &files, "ltx", "-level", "all")
	return files, err
}

// errLost is the error of a history that nothing can be restored from.
var errLost = errors.New("nothing can be restored from it")

// restorable asks which transaction a restore of the history would end with, by what is on the
// target, and not by what the litestream that writes believes: that one does not notice what
// somebody has removed there.
func restorable(ctx context.Context, program, work string, s litestreamSettings) (txid uint64, err error) {
	var plan struct {
		MaxTXID string `json:"max_txid"`
	}
	err = askLitestream(ctx, program, work, s, &plan, "restore", "-dry-run")
	if err != nil && strings.HasSuffix(err.Error(), "no matching backup files available") {
		return 0, errLost
	}
	if err != nil {
		return 0, err
	}
	return results.ParseTXID(plan.MaxTXID)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "Error: ")
}

var versionText = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)`)

// litestreamVersion refuses one that is too old, and one that does not say how old it is.
func litestreamVersion(ctx context.Context, program string) (string, error) {
	text, err := exec.CommandContext(ctx, program, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", program, err)
	}
	version := strings.TrimSpace(string(text))
	found := versionText.FindStringSubmatch(version)
	if found == nil {
		return "", fmt.Errorf("litestream says that its version is %q: backup.replicatorImage has to be a release, %d.%d.%d or newer", version, oldest[0], oldest[1], oldest[2])
	}
	for i, least := range oldest {
		n, _ := strconv.Atoi(found[i+1])
		if n > least {
			break
		}
		if n < least {
			return "", fmt.Errorf("litestream %s writes backups that can't be restored, and says nothing: backup.replicatorImage has to be %d.%d.%d or newer", version, oldest[0], oldest[1], oldest[2])
		}
	}
	return version, nil
}

// child is a program that lives no longer than this one.
type child struct {
	process *os.Process
	done    chan struct{}
	err     error
}

// startChild starts a program that has a file open, as its descriptor 3, and is killed by the
// kernel when this one ends in any way. That is bound to the thread that starts it, so this
// one has a thread that waits for it.
func startChild(words []string, file *os.File, out io.Writer) (*child, error) {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	started, c := make(chan error, 1), &child{done: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the child
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	return c, <-started
}

// kill ends it at once.
func (c *child) kill() {
	_ = c.process.Kill()
	<-c.done
}

// stop has it end by itself, or ends it after some time.
func (c *child) stop(patience time.Duration) {
	_ = c.process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(patience):
		c.kill()
	}
}

// synced is what litestream answers to a question for a sync.
type synced struct {
	TXID       uint64 `json:"txid"`
	Replicated uint64 `json:"replicated_txid"`
}

// errSilent is the error of a litestream that says nothing at all.
var errSilent = errors.New("litestream does not answer")

// control asks a litestream that runs.
type control struct {
	client   *http.Client
	database string
}

func newControl(socket, database string) control {
	return control{&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}, database}
}

// ages is longer than any sync takes: litestream would take none for half a minute.
const ages = 30 * 24 * time.Hour

// sync waits until all that is committed now is on the target, however long that takes. As the context ends, litestream
// gives up what it was doing for the question.
func (c control) sync(ctx context.Context) (synced, error) {
	question, err := json.Marshal(map[string]any{"path": c.database, "wait": true, "timeout": int(ages.Seconds())})
	if err != nil {
		return synced{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://litestream/sync", bytes.NewReader(question))
	if err != nil {
		return synced{}, err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return synced{}, fmt.Errorf("%w: %w", errSilent, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return synced{}, fmt.Errorf("%w: %w", errSilent, err)
	}
	if answer.StatusCode != http.StatusOK {
		var told struct{ Error string }
		_ = json.Unmarshal(text, &told)
		return synced{}, fmt.Errorf("litestream: %s", told.Error)
	}
	var s synced
	if err := json.Unmarshal(text, &s); err != nil {
		return s, err
	}
	if s.Replicated == 0 {
		return s, fmt.Errorf("litestream has nothing on the target yet")
	}
	return s, nil
}

// listening copies what a child prints, and keeps the last line that tells of an error.
type listening struct {
	to   io.Writer
	mu   sync.Mutex
	part []byte
	last string
}

func (l *listening) Write(text []byte) (int, error) {
	l.mu.Lock()
	l.part = append(l.part, text...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			break
		}
		l.part = rest
		var entry struct{ Level, Msg, Error string }
		switch {
		case json.Unmarshal(line, &entry) == nil:
			if entry.Level == "ERROR" || entry.Level == "WARN" && entry.Error != "" {
				l.last = strings.Trim(entry.Msg+": "+entry.Error, ": ")
			}
		case bytes.HasPrefix(line, []byte("Error: ")):
			l.last = strings.TrimPrefix(string(line), "Error: ")
		}
	}
	if len(l.part) > 1<<16 {
		l.part = nil
	}
	l.mu.Unlock()
	return l.to.Write(text)
}

func (l *listening) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
