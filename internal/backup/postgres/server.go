// Package postgres copies a PostgreSQL's database, brings a copy back, and tells what either
// holds. It has the server's own programs do that, by the server's socket, as its superuser.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Server is one that can be asked.
type Server struct {
	// Programs is the folder that its programs are in; empty: PATH knows.
	Programs string
	// Socket is the folder with its socket.
	Socket string
	// As is the user to whom the server lets its superuser's programs in; nil: who this is.
	As *syscall.Credential
}

// superuser is the role.
const superuser = "postgres"

// Unanswered is an error where the server did not answer, so that nothing was learned.
type Unanswered struct{ error }

func (u Unanswered) Unwrap() error { return u.error }

// Away is an error of a server that did not answer.
func Away(why error) error { return Unanswered{why} }

// noConnection is psql's exit code for it.
const noConnection = 2

// program is one of the server's, with words that say which server.
func (s Server) program(ctx context.Context, name string, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Programs, name), words...)
	cmd.Env = append(cmd.Environ(), "PGHOST="+s.Socket, "PGUSER="+superuser, "PGCONNECT_TIMEOUT=10", "PGAPPNAME=backup", "PGOPTIONS=-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0")
	cmd.Dir = "/" // where this is, a user of another number may not look
	cmd.WaitDelay = 5 * time.Second
	// What has to end writes down nothing that would have to be whole.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if s.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.As}
	}
	return cmd
}

// Run is a program to its end, and what it has printed.
func (s Server) Run(ctx context.Context, name string, words ...string) (string, error) {
	return ended(s.program(ctx, name, words...))
}

// Ask has psql do what a script says.
func (s Server) Ask(ctx context.Context, database, script string) (string, error) {
	cmd := s.program(ctx, "psql", asking(database)...)
	cmd.Stdin = strings.NewReader(script)
	return ended(cmd)
}

// asking are psql's words: it prints nothing but values, and ends at the first error.
func asking(database string) []string {
	return []string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"}
}

func ended(cmd *exec.Cmd) (string, error) {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	return out.String(), explained(cmd, err, said.String())
}

// explained is a program's end, with what it has said.
func explained(cmd *exec.Cmd, err error, said string) error {
	if err == nil {
		return nil
	}
	name := filepath.Base(cmd.Path)
	err = fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(said))
	var code *exec.ExitError
	if errors.As(err, &code) && name == "psql" && code.ExitCode() == noConnection || strings.Contains(said, "connection to server on socket") {
		return Away(err)
	}
	return err
}

// quoted is a name as SQL has it, and literal a text.
func quoted(name string) string  { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
