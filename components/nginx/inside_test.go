package nginx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/edge"
	"tarot-platform/internal/smoke"
)

// container has a curl, and a server in place of nginx.
type container struct {
	Engine
	server  string
	failure error
	ran     []string
}

func (c *container) ExecWith(ctx context.Context, prefix, workload, input string, command ...string) (string, error) {
	c.ran = append(c.ran, fmt.Sprint(command))
	if c.failure != nil || prefix != "tarot-shop" || workload != name {
		return "", errors.Join(c.failure, fmt.Errorf("in %s-%s", prefix, workload))
	}
	if !strings.Contains(input, "http://127.0.0.1:8080/") {
		return "", errors.New("asked somewhere else: " + input)
	}
	curl := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // it is ours
	curl.Stdin = strings.NewReader(strings.ReplaceAll(input, "http://127.0.0.1:8080", c.server))
	out, err := curl.Output()
	return string(out), err
}

// What a deploy asks comes as an edge would ask it, and no command line shows the token.
func TestAskingFromInside(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, fmt.Sprint(r.Method, " ", r.Host, r.URL.RequestURI(), " ", r.Header.Get("X-Forwarded-Proto"), " ", r.Header.Get(edge.Header), " ", string(body)))
		switch {
		case r.URL.Path == edge.Path:
			fmt.Fprint(w, "c0ffee one\nclosed\n")
		case r.Method == http.MethodPost:
			w.Header().Set("Location", "/things/1")
			w.WriteHeader(http.StatusCreated)
		default:
			fmt.Fprint(w, "in ")
			w.(http.Flusher).Flush() // in chunks
			fmt.Fprint(w, "pieces")
		}
	}))
	defer server.Close()
	inside := &container{server: server.URL}
	by := fromInside{inside, "tarot-shop"}
	test := smoke.Test{Base: "https://shop.example:8443", Connect: "nowhere.invalid", Transport: by, Header: edge.For("t0ken", edge.Upstreams),
		Health: "/health", Write: "/things?a=1", Body: `{"a": "@\"b\"` + "\\n\n" + `"}`}
	if err := test.Run(t.Context(), answerTime); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GET shop.example:8443/health https t0ken.backend ",
		"POST shop.example:8443/things?a=1 https t0ken.backend " + test.Body,
		"GET shop.example:8443/things/1 https t0ken.backend ",
		"DELETE shop.example:8443/things/1 https t0ken.backend ",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked\n%q, want\n%q", asked, want)
	}
	state, err := edge.Client{Base: "http://localhost", Token: "t0ken", By: by}.State(t.Context())
	if err != nil || state.Configuration != "c0ffee" || !state.Closed {
		t.Errorf("%+v, %v", state, err)
	}
	if all := strings.Join(inside.ran, "\n"); strings.Contains(all, "t0ken") {
		t.Errorf("the token is in a command: %s", all)
	}
	inside.failure = errors.New("no container")
	if err := (smoke.Test{Base: "https://shop.example", Transport: by, Health: "/health"}).Run(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "no container") {
		t.Errorf("%v", err)
	}
}
