package langhost

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// InstallDependencies builds the program: that downloads exactly the modules it is made of, as go.sum has them, and
// makes the first update quick. It never changes go.mod.
func (h *Host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	ctx, done := h.during(stream.Context())
	defer done()
	// Not as a terminal: go prints plain lines in either case.
	closer, stdout, _, err := rpcutil.MakeInstallDependenciesStreams(stream, false)
	if err != nil {
		return err
	}
	defer closer.Close() // nothing is buffered

	p, err := newProgram(req.GetInfo())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	fmt.Fprintln(stdout, "Downloading modules and compiling the program ...")
	built, err := p.build(ctx, stdout)
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	built()
	fmt.Fprintln(stdout, "Finished compiling the program")
	return nil
}

// About says which Go is used.
func (h *Host) About(call context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	ctx, done := h.during(call)
	defer done()
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	var output bytes.Buffer
	cmd := command(ctx, "", path, "version")
	cmd.Stdout = &output
	if err := cmd.Run(); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &pulumirpc.AboutResponse{Executable: path, Version: strings.TrimSpace(output.String())}, nil
}

// RuntimeOptionsPrompts: there is nothing to ask.
func (h *Host) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}
