package workload

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// A folder with nothing but these programs is the image's PATH.
func pathOf(t *testing.T, programs ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range append([]string{"cat"}, programs...) {
		found, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "python3" { // which may be a script that looks for the real one
			said, err := exec.Command(found, "-c", "import sys; print(sys.executable)").Output()
			if err != nil {
				t.Fatal(err)
			}
			found = strings.TrimSpace(string(said))
		}
		if err := os.Symlink(found, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// busybox is what Alpine's wget and nc do with the arguments that they are given here.
const busybox = `#!/bin/sh
exec /bin/bash -c '
for last; do :; done
if [ "${0##*/}" = nc ]; then exec 3<>/dev/tcp/127.0.0.1/$last; exit; fi
address=${last#http://127.0.0.1:} host=x
while [ $# -gt 0 ]; do case $1 in --header) host=${2#Host: }; shift ;; esac; shift; done
exec 3<>/dev/tcp/127.0.0.1/${address%%/*} || { echo "wget: cannot connect to remote host: Connection refused" >&2; exit 1; }
printf "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" "${address#*/}" "$host" >&3
while read -r line <&3 && [ "${line%[[:space:]]}" != "" ]; do echo "  $line" >&2; done
' "$0" "$@"
`

func TestAProbeAsksByWhateverTheImageHas(t *testing.T) {
	t.Parallel()
	var hungUp atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != "cards.example":
			w.WriteHeader(http.StatusBadRequest)
		case r.URL.Path == "/moved/":
			http.Redirect(w, r, "https://nowhere.invalid/", http.StatusFound)
		case r.RequestURI == "/health/":
			if _, err := w.Write(bytes.Repeat([]byte("well\n"), 2<<20)); err != nil { // more than what is on the way holds
				hungUp.Add(1)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	_, text, _ := net.SplitHostPort(server.Listener.Addr().String())
	port, _ := strconv.Atoi(text)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()

	alpine := pathOf(t)
	for _, name := range []string{"wget", "nc"} {
		if err := os.WriteFile(filepath.Join(alpine, name), []byte(busybox), 0o755); err != nil { //nolint:gosec // it is a program
			t.Fatal(err)
		}
	}
	for image, path := range map[string]string{"bash": pathOf(t, "bash"), "python": pathOf(t, "python3"), "busybox": alpine} {
		hungUp.Store(0)
		for _, test := range []struct {
			name string
			test []string
			code int
			says string
		}{
			{"2xx, read to its end", AsksHTTP(port, "/health/", "cards.example"), 0, ""},
			{"3xx, which is not followed", AsksHTTP(port, "/moved/", "cards.example"), 0, ""},
			{"4xx", AsksHTTP(port, "/health", "cards.example"), 1, "404 Not Found"},
			{"another name", AsksHTTP(port, "/health/", "localhost"), 1, "400 Bad Request"},
			{"nobody at the path", AsksHTTP(nobody, "/health/", "localhost"), 1, "Connection refused"},
			{"a connection", Connects(port), 0, ""},
			{"nobody at the port", Connects(nobody), 1, "Connection refused"},
		} {
			cmd := exec.Command("/bin/sh", test.test[2:]...)
			cmd.Env = []string{"PATH=" + path, "http_proxy=http://nowhere.invalid", "HTTP_PROXY=http://nowhere.invalid"}
			said, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != test.code || !strings.Contains(string(said), test.says) || test.says == "" && len(said) > 0 {
				t.Errorf("%s, %s: exit code %d, want %d: %s", image, test.name, cmd.ProcessState.ExitCode(), test.code, said)
			}
		}
		if n := hungUp.Load(); n > 0 && image != "busybox" { // wget's own business
			t.Errorf("%s hung up %d times", image, n)
		}
	}

	cmd := exec.Command("/bin/sh", Connects(port)[2:]...)
	cmd.Env = []string{"PATH=" + pathOf(t)}
	said, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 127 || !strings.Contains(string(said), "none of them is there") {
		t.Errorf("an image with none of them: exit code %d: %s", cmd.ProcessState.ExitCode(), said)
	}
}
