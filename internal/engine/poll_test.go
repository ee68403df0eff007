package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// An engine that can't be asked for a moment says nothing of what was asked for.
func TestAQuestionWithoutAnAnswerIsAskedAgain(t *testing.T) {
	outage := []error{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, io.ErrUnexpectedEOF, fmt.Errorf("no leader: %w", errdefs.ErrUnavailable), errdefs.ErrInternal}
	for name, await := range map[string]func(*testing.T, *Engine) error{
		"container": func(t *testing.T, e *Engine) error { return e.AwaitContainer(t.Context(), "id", asked, within) },
		"task":      func(t *testing.T, e *Engine) error { return e.AwaitJob(t.Context(), "id", within) },
		"service": func(t *testing.T, e *Engine) error {
			return e.AwaitService(t.Context(), "id", Tasks{Image: wanted, Replicas: 2}, within)
		},
	} {
		state := inspected(wanted, "running", container.Healthy)
		if name == "task" {
			state = ended(0)
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fakeAPI{outages: outage, container: []container.InspectResponse{state}, service: []moment{{service(wanted, ""), running(wanted, 2)}}}
				if err := await(t, &Engine{api: api}); err != nil || len(api.outages) > 0 {
					t.Errorf("%v, with %d outages to come", err, len(api.outages))
				}
				api.failure = errdefs.ErrUnavailable
				if err := await(t, &Engine{api: api}); err == nil || !strings.Contains(err.Error(), "not within 1m0s: unavailable") {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// The client's own errors, of an engine that is really asked.
func TestUnanswered(t *testing.T) {
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status == 0 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	ask := func() error {
		api, err := client.NewClientWithOpts(client.WithHost("tcp://"+server.Listener.Addr().String()), client.WithVersion("1.41"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = api.ContainerInspect(t.Context(), "id")
		return err
	}
	for code, want := range map[int]bool{0: true, 500: true, 503: true, 400: false, 404: false, 409: false} {
		status = code
		if err := ask(); err == nil || unanswered(err) != want {
			t.Errorf("%d: %v, unanswered: %v", code, err, !want)
		}
	}
	server.Close()
	if err := ask(); !unanswered(err) {
		t.Errorf("nobody listens: %v", err)
	}
	if unanswered(errors.New("it runs app:1")) {
		t.Error("an answer that says no is taken for none")
	}
}
