package valkey

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Server is where a Valkey is, and who asks it.
type Server struct {
	// Network and Address are as net.Dial has them.
	Network, Address string
	// User and Password; no User: it lets everybody in.
	User, Password string
}

// Unanswered is an error of a server that could not be asked.
type Unanswered struct{ Why error }

func (u Unanswered) Error() string { return "the server could not be asked: " + u.Why.Error() }
func (u Unanswered) Unwrap() error { return u.Why }

// Refused is what a server has answered in place of what was asked for.
type Refused string

func (r Refused) Error() string { return "the server has refused: " + string(r) }

// silence is how long a server may say nothing. It sends an empty line every ten seconds while it
// gets a copy ready.
const silence = time.Minute

// conn is a connection, whose protocol has lines, and texts of a length that is told.
type conn struct {
	net.Conn
	in *bufio.Reader
}

// Read and Write have the time of one silence each.
func (c conn) Read(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(silence))
	return c.Conn.Read(p)
}

func (c conn) Write(p []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(silence))
	return c.Conn.Write(p)
}

// dial is a connection that is let in. It ends with the context.
func (s Server) dial(ctx context.Context) (conn, func(), error) {
	plain, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, s.Network, s.Address)
	if err != nil {
		return conn{}, nil, Unanswered{err}
	}
	stop := context.AfterFunc(ctx, func() { _ = plain.Close() })
	c := conn{Conn: plain}
	c.in = bufio.NewReaderSize(c, 64<<10)
	end := func() {
		stop()
		_ = plain.Close()
	}
	if s.User != "" {
		if _, err := c.ask("AUTH", s.User, s.Password); err != nil {
			end()
			return conn{}, nil, err
		}
	}
	return c, end, nil
}

// ask is a command's answer.
func (c conn) ask(words ...string) (string, error) {
	if err := c.send(words...); err != nil {
		return "", err
	}
	return c.answer()
}

func (c conn) send(words ...string) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&text, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := c.Write(text.Bytes()); err != nil {
		return Unanswered{err}
	}
	return nil
}

// answer is one line, or a text.
func (c conn) answer() (string, error) {
	line, err := c.line()
	if err != nil {
		return "", err
	}
	if length, is := strings.CutPrefix(line, "$"); is {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > 1<<20 {
			return "", Unanswered{fmt.Errorf("its answer is none: %q", line)}
		}
		text := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(c.in, text); err != nil {
			return "", Unanswered{err}
		}
		return string(text[:n]), nil
	}
	if line[0] != '+' && line[0] != ':' {
		return "", Unanswered{fmt.Errorf("its answer is none: %q", line)}
	}
	return line[1:], nil
}

// line is the next one that is not empty. An error of the server's is one.
func (c conn) line() (string, error) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", Unanswered{err}
		}
		line = strings.TrimRight(line, "\r\n")
		if said, is := strings.CutPrefix(line, "-"); is {
			if strings.HasPrefix(said, "LOADING ") {
				return "", Unanswered{errors.New(said)}
			}
			return "", Refused(said)
		}
		if line != "" {
			return line, nil
		}
	}
}

// fetch has the server write all that it holds, of one moment, as a replica gets it: nobody waits
// for that, and nothing of it is written to the server's disk.
func (c conn) fetch(to io.Writer) error {
	for _, words := range [][]string{{"REPLCONF", "rdb-only", "1"}, {"REPLCONF", "capa", "eof"}} {
		if _, err := c.ask(words...); err != nil {
			return err
		}
	}
	if err := c.send("SYNC"); err != nil {
		return err
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	told, is := strings.CutPrefix(line, "$")
	if !is {
		return Unanswered{fmt.Errorf("it sends no copy, but %q", line)}
	}
	if mark, is := strings.CutPrefix(told, "EOF:"); is {
		return c.until([]byte(mark), to)
	}
	length, err := strconv.ParseInt(told, 10, 64)
	if err != nil || length <= 0 {
		return Unanswered{fmt.Errorf("it sends no copy, but %q", line)}
	}
	if _, err := io.CopyN(to, reading{c.in}, length); err != nil {
		return err
	}
	return nil
}

// reading tells an error of the server's from one of the disk's.
type reading struct{ from io.Reader }

func (r reading) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil {
		err = Unanswered{err}
	}
	return n, err
}

// until writes what comes before a mark, which is chance's, and so in no copy.
func (c conn) until(mark []byte, to io.Writer) error {
	if len(mark) < 40 {
		return Unanswered{fmt.Errorf("its mark is too short: %q", mark)}
	}
	part, held := make([]byte, 64<<10), []byte(nil)
	for {
		n, err := c.in.Read(part)
		if err != nil {
			return Unanswered{fmt.Errorf("it has ended within the copy: %w", err)}
		}
		held = append(held, part[:n]...)
		if at := bytes.Index(held, mark); at >= 0 {
			_, err := to.Write(held[:at])
			return err
		}
		if over := len(held) - len(mark); over > 0 { // a part of the mark may be at the end
			if _, err := to.Write(held[:over]); err != nil {
				return err
			}
			held = append(held[:0], held[over:]...)
		}
	}
}
