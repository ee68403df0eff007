package engine

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestListenersOfAPort(t *testing.T) {
	proc := t.TempDir()
	const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(proc, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found, readable := listeners(proc, 80); readable || len(found) > 0 {
		t.Errorf("%v, %v", found, readable)
	}
	write("net/tcp", header+
		"   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n"+
		"   1: 0200000A:0050 0300000A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1\n"+
		"   2: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0\n")
	write("net/tcp6", header+
		"   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1 0 100 0 0 10 0\n")
	write("77/comm", "caddy\n")
	write("78/comm", "other\n")
	if err := os.MkdirAll(filepath.Join(proc, "77/fd"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("socket:[111]", filepath.Join(proc, "77/fd/5")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		address string
		port    int
		taken   bool
	}{
		{"", 80, true}, {"0.0.0.0", 80, true}, {"127.0.0.1", 80, true}, {"10.0.0.2", 80, false},
		{"10.0.0.2", 443, true}, {"127.0.0.1", 8080, true}, {"", 81, false},
	} {
		found, readable := listeners(proc, test.port)
		taken := false
		for _, l := range found {
			taken = taken || l.meets(test.address)
		}
		if !readable || taken != test.taken {
			t.Errorf("%s port %d: %v, %v", test.address, test.port, found, readable)
		}
	}
	if got := processOf(proc, "111"); got != "caddy (process 77)" {
		t.Errorf("%q", got)
	}
	if got := processOf(proc, "333"); got != "" { // of another user
		t.Errorf("%q", got)
	}
}

func TestAPortThatIsFree(t *testing.T) {
	if by := takenBy("127.0.0.1", freePort(t)); by != "" {
		t.Errorf("%q", by)
	}
	listener, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if by := takenBy("127.0.0.1", listener.Addr().(*net.TCPAddr).Port); by == "" {
		t.Error("what listens at all addresses is overlooked")
	}
}
