package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// executing is an engine with a container that a command runs in.
type executing struct {
	*fakeAPI
	out, errs string
	code      int
	ran       []string
	stdin     bool
	read      chan string // the input, once it is over
}

func (e *executing) ContainerExecCreate(_ context.Context, id string, options container.ExecOptions) (container.ExecCreateResponse, error) {
	e.ran, e.stdin = append([]string{id}, options.Cmd...), options.AttachStdin
	return container.ExecCreateResponse{ID: "exec"}, nil
}

func (e *executing) ContainerExecAttach(context.Context, string, container.ExecAttachOptions) (types.HijackedResponse, error) {
	var stream bytes.Buffer
	_, _ = stdcopy.NewStdWriter(&stream, stdcopy.Stderr).Write([]byte(e.errs))
	_, _ = stdcopy.NewStdWriter(&stream, stdcopy.Stdout).Write([]byte(e.out))
	conn, far := net.Pipe()
	if e.stdin {
		e.read = make(chan string, 1)
		go func() {
			all, _ := io.ReadAll(far)
			e.read <- string(all)
		}()
	}
	return types.HijackedResponse{Conn: conn, Reader: bufio.NewReader(&stream)}, nil
}

func (e *executing) ContainerExecInspect(context.Context, string) (container.ExecInspect, error) {
	return container.ExecInspect{ExitCode: e.code}, nil
}

func TestExec(t *testing.T) {
	running := &fakeAPI{containers: []container.Summary{{ID: "one", State: "running", Names: []string{"/tarot-prod-prometheus-1"}}}}
	api := &executing{fakeAPI: running, out: "[]\n", errs: "a warning\n"}
	got, err := (&Engine{api: api}).Exec(t.Context(), "tarot-prod", "prometheus", "promtool", "query")
	if err != nil || got != "[]\n" || strings.Join(api.ran, " ") != "one promtool query" {
		t.Errorf("%q %v %v", got, err, api.ran)
	}
	api.code, api.errs = 2, "no such metric\n"
	if _, err := (&Engine{api: api}).Exec(t.Context(), "tarot-prod", "prometheus", "promtool"); err == nil || err.Error() != "promtool in tarot-prod-prometheus-1: exit code 2: no such metric" {
		t.Errorf("%v", err)
	}
	var out, errs bytes.Buffer
	err = (&Engine{api: api}).ExecTo(t.Context(), "tarot-prod", "prometheus", &out, &errs, "promtool")
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 2 || out.String() != "[]\n" || errs.String() != "no such metric\n" {
		t.Errorf("%v: %q %q", err, out.String(), errs.String())
	}
	if _, err := (&Engine{api: &fakeAPI{}}).Exec(t.Context(), "tarot-prod", "prometheus", "promtool"); err == nil || err.Error() != "no container of tarot-prod-prometheus runs on this engine" {
		t.Errorf("%v", err)
	}
}

func TestExecWithAnInput(t *testing.T) {
	running := &fakeAPI{containers: []container.Summary{{ID: "one", State: "running", Names: []string{"/tarot-shop-nginx-1"}}}}
	api := &executing{fakeAPI: running, out: "an answer"}
	got, err := (&Engine{api: api}).ExecWith(t.Context(), "tarot-shop", "nginx", "a question", "curl")
	if err != nil || got != "an answer" || !api.stdin {
		t.Fatalf("%q, %v, an input: %v", got, err, api.stdin)
	}
	if read := <-api.read; read != "a question" {
		t.Errorf("read %q", read)
	}
	if _, err := (&Engine{api: api}).Exec(t.Context(), "tarot-shop", "nginx", "curl"); err != nil || api.stdin {
		t.Errorf("%v, an input where there is none: %v", err, api.stdin)
	}
	api.code, api.errs = 7, "refused"
	if _, err := (&Engine{api: api}).ExecWith(t.Context(), "tarot-shop", "nginx", "", "curl"); err == nil || err.Error() != "curl in tarot-shop-nginx-1: exit code 7: refused" {
		t.Errorf("%v", err)
	}
}
