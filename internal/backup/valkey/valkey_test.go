package valkey

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	held = "REDIS0011 and all that is in there\r\n$5\r\nwith anything\n"
	mark = "0123456789abcdef0123456789abcdef01234567"
)

// fake is a server that answers commands by their first word, until one is to end the connection.
type fake map[string]string

func (f fake) serve(t *testing.T) Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			f.talk(c)
			_ = c.Close()
		}
	}()
	return Server{Network: "tcp", Address: listener.Addr().String(), User: "backup", Password: "word"}
}

func (f fake) talk(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		var words []string
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
		for range n {
			length, _ := in.ReadString('\n')
			size, _ := strconv.Atoi(strings.TrimSpace(length[1:]))
			word := make([]byte, size+2)
			if _, err := io.ReadFull(in, word); err != nil {
				return
			}
			words = append(words, string(word[:size]))
		}
		said, known := f[words[0]]
		if !known {
			said = "+OK\r\n"
		}
		if words[0] == "AUTH" && !slices.Equal(words[1:], []string{"backup", "word"}) {
			said = "-WRONGPASS invalid\r\n"
		}
		for part := range strings.SplitSeq(said, "|") { // each in a packet of its own
			_, _ = io.WriteString(c, part)
			time.Sleep(time.Millisecond)
		}
		if words[0] == "SYNC" {
			return
		}
	}
}

// checker is a valkey-check-rdb that says so of any file.
func checker(t *testing.T, says string, code int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "valkey-check-rdb")
	if err := os.WriteFile(file, fmt.Appendf(nil, "#!/bin/sh\nprintf '%s'\nexit %d\n", says, code), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

const whole = `[offset 9] Checksum OK\n[info] 12 keys read\n[info] 5 expires\n[info] 1 already expired\n`

// What a replica gets is the copy, however it comes: after a mark that is cut anywhere, or a length.
func TestACopyIsAllThatAServerSends(t *testing.T) {
	for name, sent := range map[string]string{
		"a length":               fmt.Sprintf("\n|\n|$%d\r\n%s", len(held), held),
		"a mark":                 "\n$EOF:" + mark + "\r\n" + held + mark,
		"a mark in two packets":  "$EOF:" + mark + "\r\n|" + held + mark[:7] + "|" + mark[7:],
		"begins as the mark":     "$EOF:" + mark + "\r\n|" + mark[:20] + "|" + held + mark[:39] + "|" + mark,
		"an ending in one piece": "$EOF:" + mark + "\r\n" + held + "|" + mark,
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			m, err := fake{"SYNC": sent}.serve(t).Copy(t.Context(), checker(t, whole, 0), folder)
			if err != nil {
				t.Fatal(err)
			}
			want := held
			if strings.HasPrefix(name, "begins") {
				want = mark[:20] + held + mark[:39]
			}
			text, err := os.ReadFile(filepath.Join(folder, m.File))
			if err != nil || string(text) != want || m.Bytes != int64(len(want)) || m.Lasting != 7 || m.Passing != 5 {
				t.Errorf("%v: %q, %+v", err, text, m)
			}
			read, err := Read(folder)
			if err != nil || read != m || Whole(folder, read) != nil {
				t.Errorf("%v: %+v", err, read)
			}
		})
	}
}

// The last copy stays where there is no next one, and it is told whether it was refused.
func TestACopyThatFailsLeavesTheLast(t *testing.T) {
	for name, test := range map[string]struct {
		server     fake
		checker    string
		code       int
		unanswered bool
		says       string
	}{
		"it ends within":      {fake{"SYNC": fmt.Sprintf("$%d\r\n%s", len(held)+1, held)}, whole, 0, true, "EOF"},
		"it ends at the mark": {fake{"SYNC": "$EOF:" + mark + "\r\n" + held + mark[:39]}, whole, 0, true, "within the copy"},
		"it may not":          {fake{"SYNC": "-NOPERM no permissions\r\n"}, whole, 0, false, "NOPERM"},
		"another password":    {fake{"AUTH": "-WRONGPASS invalid\r\n"}, whole, 0, false, "WRONGPASS"},
		"it reads its files":  {fake{"REPLCONF": "-LOADING Valkey is loading\r\n"}, whole, 0, true, "LOADING"},
		"it is none":          {fake{"SYNC": "+CONTINUE\r\n"}, whole, 0, true, "CONTINUE"},
		"a wrong checksum":    {fake{"SYNC": fmt.Sprintf("$%d\r\n%s", len(held), held)}, `RDB CRC error\n`, 1, false, "RDB CRC error"},
		"nothing is counted":  {fake{"SYNC": fmt.Sprintf("$%d\r\n%s", len(held), held)}, `OK\n`, 0, false, "how many keys"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			last, err := fake{"SYNC": fmt.Sprintf("$%d\r\n%s", len(held), held)}.serve(t).Copy(t.Context(), checker(t, whole, 0), folder)
			if err != nil {
				t.Fatal(err)
			}
			_, err = test.server.serve(t).Copy(t.Context(), checker(t, test.checker, test.code), folder)
			if err == nil || !strings.Contains(err.Error(), test.says) || errors.As(err, new(Unanswered)) != test.unanswered {
				t.Errorf("%v", err)
			}
			if m, err := Read(folder); err != nil || m != last || Whole(folder, m) != nil {
				t.Errorf("the last one is not there: %v, %+v", err, m)
			}
			if entries, _ := os.ReadDir(folder); len(entries) != 3 { // with the manifest and the lock
				t.Errorf("%v", entries)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	folder := t.TempDir()
	_, err = Server{Network: "tcp", Address: listener.Addr().String()}.Copy(t.Context(), "none", folder)
	if !errors.As(err, new(Unanswered)) {
		t.Error(err)
	}
	if _, err := Read(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// A server finds a copy where it looks for its own files.
func TestAServerFindsACopy(t *testing.T) {
	folder := t.TempDir()
	copied := filepath.Join(folder, "queue.rdb")
	if err := os.WriteFile(copied, []byte(held), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(folder, Log)
	if err := os.Mkdir(log, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Put(copied, log); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(log, "appendonly.aof.manifest"))
	if err != nil || string(list) != "file appendonly.aof.1.base.rdb seq 1 type b\n" {
		t.Errorf("%v %q", err, list)
	}
	if text, err := os.ReadFile(filepath.Join(log, "appendonly.aof.1.base.rdb")); err != nil || string(text) != held {
		t.Errorf("%v %q", err, text)
	}
}

// Keys that go by themselves may be gone, and no other.
func TestWhatAServerHolds(t *testing.T) {
	copied := Keys{Lasting: 7, Passing: 5}
	for info, same := range map[string]bool{
		"# Keyspace\r\ndb0:keys=10,expires=5,avg_ttl=9\r\ndb3:keys=2,expires=0,avg_ttl=0\r\n": true,
		"db0:keys=7,expires=0\r\n":  true,
		"db0:keys=6,expires=0\r\n":  false,
		"db0:keys=8,expires=0\r\n":  false,
		"db0:keys=13,expires=6\r\n": false,
		"":                          false,
	} {
		now, err := fake{"PING": "+PONG\r\n", "INFO": fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)}.serve(t).Holds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := copied.Compare(now); (err == nil) != same {
			t.Errorf("%q: %v", info, err)
		}
	}
	if _, err := (fake{"PING": "-LOADING it reads\r\n"}).serve(t).Holds(t.Context()); !errors.As(err, new(Unanswered)) {
		t.Error(err)
	}
}
