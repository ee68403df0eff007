//go:build e2e

package e2e

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// request is one of those that dev and prod have to answer alike.
type request struct {
	method, path string
	header       map[string]string
	body         int // bytes
	chunked      bool
}

// requests are the list: what browsers and programs ask.
func requests() []request {
	list := []request{
		{path: "/static/guide"}, {path: "/static/guide/"}, {path: "/static/nothing.txt"},
		{path: "/to"}, {path: "/nowhere"}, {path: "/echo/a%2Fb//c/../d?x=%20&y=%E7%89%8C"},
		{path: "/echo", header: map[string]string{"X_Own_Word": "1", "X-Own-Word": "2"}},
		{path: "/echo", header: map[string]string{"Cookie": "a=" + strings.Repeat("x", 12<<10)}},
		{path: "/echo?x=" + strings.Repeat("x", 12<<10)},
		{path: "/echo", header: map[string]string{"Accept-Language": "zh-CN,zh;q=0.9"}},
		{method: http.MethodDelete, path: "/echo"}, {method: http.MethodPost, path: "/echo"},
		{path: "/large?bytes=3000000"},
	}
	for _, name := range []string{"viewer.mjs", "main.js", "style.css", "readme.txt", "先读我.txt", "data.json", "site.webmanifest",
		"icon.svg", "table.csv", "notes.md", "empty.wasm", "unknown.tarotcard"} {
		list = append(list, request{path: "/static/" + url.PathEscape(name)})
	}
	for _, size := range []int{1, 9_000, 20_000, 900_000, 3 << 20} {
		list = append(list, request{method: http.MethodPost, path: "/echo", body: size}, request{method: http.MethodPut, path: "/echo", body: size, chunked: true})
	}
	return list
}

// ask returns what is compared, in words.
func (r request) ask(t *testing.T, site string) string {
	t.Helper()
	var body io.Reader
	if r.body > 0 {
		body = strings.NewReader(strings.Repeat("x", r.body))
		if r.chunked {
			body = io.MultiReader(body) // whose length nobody knows
		}
	}
	asked, err := http.NewRequest(r.method, site+r.path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.header {
		asked.Header[name] = []string{value} // as it is spelt
	}
	answer, err := visitor.Do(asked)
	if err != nil {
		t.Fatalf("%s: %v", site, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v", site, err)
	}
	said := string(text)
	if answer.StatusCode == http.StatusMovedPermanently || answer.StatusCode == http.StatusNotFound {
		said = "" // each server has a text of its own
	}
	kind := answer.Header.Get("Content-Type")
	if said == "" {
		kind = ""
	}
	return fmt.Sprintf("%d, %q, to %q, cookie %q, own %q, %d bytes: %.300q", answer.StatusCode, kind,
		strings.TrimPrefix(answer.Header.Get("Location"), site), answer.Header.Get("Set-Cookie"), answer.Header.Get("X-Own"), len(said), said)
}

func alike(t *testing.T, dev, prod string) {
	for _, r := range requests() {
		one, other := r.ask(t, dev), r.ask(t, prod)
		if one != other {
			t.Errorf("%s %.60s %v, %d bytes:\ndev  %s\nprod %s", r.method, r.path, r.header, r.body, one, other)
		}
		if strings.HasPrefix(r.path, "/echo") && !strings.HasPrefix(one, "200") {
			t.Errorf("%.60s: dev says %s", r.path, one)
		}
	}
	mjs := get(t, prod+"/static/viewer.mjs").want(t, "a script", http.StatusOK)
	if kind := mjs.header.Get("Content-Type"); kind != "text/javascript; charset=utf-8" {
		t.Errorf("a script is %q", kind)
	}
}

// streams fails unless what is written word by word arrives word by word, for those that
// take gzip and for others.
func streams(t *testing.T, site string) {
	t.Helper()
	for _, kind := range []string{"text", "json", "html", "events"} {
		for _, encoding := range []string{"identity", "gzip"} {
			asked, err := http.NewRequest(http.MethodGet, site+"/stream/"+kind, nil)
			if err != nil {
				t.Fatal(err)
			}
			asked.Header.Set("Accept-Encoding", encoding)
			answer, err := visitor.Do(asked)
			if err != nil {
				t.Fatal(err)
			}
			var body io.Reader = answer.Body
			if answer.Header.Get("Content-Encoding") == "gzip" {
				if body, err = gzip.NewReader(answer.Body); err != nil {
					t.Fatal(err)
				}
			}
			var arrived []time.Time
			var words []string
			for lines := bufio.NewScanner(body); lines.Scan(); {
				arrived, words = append(arrived, time.Now()), append(words, lines.Text())
			}
			_ = answer.Body.Close()
			if strings.Join(words, " ") != "you will meet a stranger" {
				t.Errorf("%s/stream/%s, %s: %q", site, kind, encoding, words)
				continue
			}
			// Written within 1.2 s; at once means that somebody has collected them.
			if took := arrived[len(arrived)-1].Sub(arrived[0]); took < 600*time.Millisecond {
				t.Errorf("%s/stream/%s, %s: the words come within %s", site, kind, encoding, took)
			}
		}
	}
}

// startServer serves on this machine, until the test ends.
func startServer(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
