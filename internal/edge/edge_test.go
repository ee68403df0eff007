package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func nginx(t *testing.T, answers ...string) Client {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != Path || r.Header.Get(Header) != "token.backend" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, answers[0])
		if len(answers) > 1 {
			answers = answers[1:]
		}
	}))
	t.Cleanup(server.Close)
	return Client{Base: server.URL, Token: "token", TLS: server.Client().Transport.(*http.Transport).TLSClientConfig}
}

func TestState(t *testing.T) {
	got, err := nginx(t, "c0ffee one two").State(t.Context())
	if err != nil || got.Configuration != "c0ffee" || !slices.Equal(got.Upstreams, []string{"one", "two"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got.Closed {
		t.Error("it is closed")
	}
	if shut, err := nginx(t, "c0ffee one two\nclosed\n").State(t.Context()); err != nil || !shut.Closed || !slices.Equal(shut.Upstreams, got.Upstreams) {
		t.Errorf("closed: %+v, %v", shut, err)
	}
	stranger := nginx(t, "c0ffee one two")
	stranger.Token = "other"
	if _, err := stranger.State(t.Context()); err == nil || !strings.Contains(err.Error(), "answers 404") {
		t.Errorf("without the token: %v", err)
	}
	if _, err := nginx(t, "").State(t.Context()); err == nil {
		t.Error("an empty answer is a state")
	}
}

func TestAwait(t *testing.T) {
	if err := nginx(t, "old one", "old one", "new two").Await(t.Context(), "new", time.Minute); err != nil {
		t.Error(err)
	}
	err := nginx(t, "old one").Await(t.Context(), "new", 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "nginx runs the configuration old, not new") {
		t.Errorf("%v", err)
	}
}

func TestServedBy(t *testing.T) {
	for text, want := range map[string]Served{
		"": {}, "c0ffee ": {Configuration: "c0ffee"}, "c0ffee 10.0.0.3:8000": {"c0ffee", "10.0.0.3"},
		"c0ffee 10.0.0.3:8000, 10.0.0.4:8000": {"c0ffee", "10.0.0.4"}, "c0ffee [2001:db8::7]:8000": {"c0ffee", "2001:db8::7"},
	} {
		if got := ServedBy(http.Header{servedHeader: {text}}); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}
