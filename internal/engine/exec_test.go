package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
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
}

func (e *executing) ContainerExecCreate(_ context.Context, id string, options container.ExecOptions) (container.ExecCreateResponse, error) {
	e.ran = append([]string{id}, options.Cmd...)
	return container.ExecCreateResponse{ID: "exec"}, nil
}

func (e *executing) ContainerExecAttach(context.Context, string, container.ExecAttachOptions) (types.HijackedResponse, error) {
	var stream bytes.Buffer
	_, _ = stdcopy.NewStdWriter(&stream, stdcopy.Stderr).Write([]byte(e.errs))
	_, _ = stdcopy.NewStdWriter(&stream, stdcopy.Stdout).Write([]byte(e.out))
	conn, _ := net.Pipe()
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
