//go:build e2e

package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
)

// What nginx and an application could read in two ways is refused, or reaches the application in one:
// no second request is hidden in a first one's body, no header is made of an address, no
// file is read that is beside the static ones.
//
//suite:core
func TestNothingIsSmuggledPastTheEdge(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	d := newDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		seen = append(seen, r.Method+" "+r.Host+r.URL.Path)
		mu.Unlock()
		w.Header().Set("X-Seen", r.URL.Path)
	}), func(c *assets.Config) { c.Known = []string{"shop.example"} })
	// send writes what no client would, and returns the statuses and all of the answers.
	send := func(text string) (statuses []string, answer string) {
		t.Helper()
		connection, err := tls.Dial("tcp", strings.TrimPrefix(d.https, "https://"), &tls.Config{InsecureSkipVerify: true, ServerName: "shop.example"}) //nolint:gosec // self-signed
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		_ = connection.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(connection, text)
		all, _ := io.ReadAll(connection)
		for line := range strings.Lines(string(all)) {
			if rest, is := strings.CutPrefix(line, "HTTP/1.1 "); is {
				statuses = append(statuses, rest[:3])
			}
		}
		return statuses, string(all)
	}
	reset := func() (before []string) {
		mu.Lock()
		defer mu.Unlock()
		before, seen = seen, nil
		return before
	}
	const hidden = "GET /hidden HTTP/1.1\r\nHost: shop.example\r\n\r\n"
	post := func(headers, body string) string {
		return "POST /first HTTP/1.1\r\nHost: shop.example\r\n" + headers + "\r\n" + body
	}

	// That two requests on a connection are seen is the proof that a hidden one would be.
	reset()
	if statuses, _ := send(post("Content-Length: 3\r\n", "abc") + hidden); !slices.Equal(statuses, []string{"200", "200"}) {
		t.Fatalf("two requests, one after the other: %v", statuses)
	}
	if got := reset(); !slices.Equal(got, []string{"POST shop.example/first", "GET shop.example/hidden"}) {
		t.Fatalf("the application has seen %q", got)
	}

	long := strconv.Itoa(len("0\r\n\r\n" + hidden))
	for name, text := range map[string]string{
		"a length and chunks":           post("Content-Length: "+long+"\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden),
		"chunks and a length":           post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "2d\r\n"+hidden+"\r\n0\r\n\r\n"),
		"chunks with a space":           post("Content-Length: "+long+"\r\nTransfer-Encoding : chunked\r\n", "0\r\n\r\n"+hidden),
		"chunks of another name":        post("Content-Length: "+long+"\r\nTransfer-Encoding: xchunked\r\n", "0\r\n\r\n"+hidden),
		"chunks and something else":     post("Content-Length: "+long+"\r\nTransfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+hidden),
		"chunks with a vertical tab":    post("Content-Length: "+long+"\r\nTransfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"+hidden),
		"two lengths":                   post("Content-Length: 0\r\nContent-Length: "+strconv.Itoa(len(hidden))+"\r\n", hidden),
		"a length with a sign":          post("Content-Length: +0\r\n", hidden),
		"a length below zero":           post("Content-Length: -1\r\n", hidden),
		"a length of two numbers":       post("Content-Length: 0, 5\r\n", hidden),
		"a line that goes on":           post("X-A: b\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden),
		"a zero byte":                   post("X-A: b\x00c\r\nContent-Length: 0\r\n", hidden),
		"a chunk that is too long":      post("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFFF\r\n"+hidden),
		"two hosts":                     "GET /first HTTP/1.1\r\nHost: shop.example\r\nHost: other.example\r\n\r\n" + hidden,
		"no host":                       "GET /first HTTP/1.1\r\n\r\n" + hidden,
		"another host, in the address":  "GET https://other.example/first HTTP/1.1\r\nHost: shop.example\r\n\r\n" + hidden,
		"a host with a path":            "GET /first HTTP/1.1\r\nHost: shop.example/hidden\r\n\r\n" + hidden,
		"a method with a space before":  " GET /first HTTP/1.1\r\nHost: shop.example\r\n\r\n" + hidden,
		"a protocol that there is not":  "GET /first HTTP/3.1\r\nHost: shop.example\r\n\r\n" + hidden,
		"a request that opens a tunnel": "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example\r\n\r\n" + hidden,
		"a header without a name":       post(": x\r\nContent-Length: 0\r\n", hidden),
	} {
		statuses, answer := send(text)
		if got := reset(); len(got) > 0 {
			t.Errorf("%s: the application has seen %q", name, got)
		}
		if len(statuses) > 1 || len(statuses) == 1 && !slices.Contains([]string{"400", "405", "411", "421", "501", "505"}, statuses[0]) {
			t.Errorf("%s: %v\n%.300s", name, statuses, answer)
		}
	}

	// Addresses that nginx writes into its own answers.
	for _, path := range []string{"/grafana", "/static", "/first"} {
		for _, end := range []string{"%0d%0aX-Injected:%20yes", "%0aX-Injected:%20yes", "?a=%0d%0aX-Injected:%20yes", "/%0d%0a%0d%0a<script>", "%E5%98%8A%E5%98%8DX-Injected:%20yes"} {
			_, answer := send("GET " + path + end + " HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
			head, _, _ := strings.Cut(answer, "\r\n\r\n")
			for line := range strings.Lines(head) {
				if strings.HasPrefix(strings.ToLower(line), "x-injected") {
					t.Errorf("%s%s: %q", path, end, head)
				}
			}
			if answer == "" || strings.Contains(answer, "\r\n\r\n<script>") {
				t.Errorf("%s%s: %q", path, end, answer)
			}
		}
	}
	reset()

	// What is beside the static files: the configuration that nginx has loaded.
	for _, path := range []string{"/static/../nginx.conf", "/static../nginx.conf", "/static/..%2fnginx.conf", "/static/%2e%2e/nginx.conf", "/static/%2e%2e%2fnginx.conf", "/static/..%5cnginx.conf",
		"/static/..;/nginx.conf", "/static//../nginx.conf", "/static/./../nginx.conf", "/static/r/../../nginx.conf", "/static/r/1/../../../nginx.conf", "/static/r..%2f..%2fnginx.conf",
		"/static/../../../etc/passwd", "/static/%252e%252e/nginx.conf", "/static/..%c0%afnginx.conf", "/static/..%00/nginx.conf"} {
		_, answer := send("GET " + path + " HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
		if answer == "" || strings.Contains(answer, "worker_processes") || strings.Contains(answer, "root:") {
			t.Errorf("%s: %.300q", path, answer)
		}
	}
	if _, answer := send("GET /static/a.css HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(answer, "\r\n\r\nx\n") {
		t.Errorf("a static file: %q", answer)
	}

	if text, err := os.ReadFile("../../assets/nginx/nginx.conf.tmpl"); err != nil || !strings.Contains(string(text), "\nworker_processes ") {
		t.Errorf("the configuration would not be known where it was read: %v", err)
	}
}
