package langhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/common/constant"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errInterrupted = status.Error(codes.Canceled, "the program was interrupted")

// Run builds the program and runs it against the engine. The program's output is ours: the engine shows it line by
// line. So is our process group, and with it the engine's last resort of killing the whole group.
func (h *Host) Run(call context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	ctx, done := h.during(call)
	defer done()
	if req.GetAttachDebugger() {
		return nil, status.Error(codes.Unimplemented, "this language host cannot attach a debugger")
	}
	env, err := environment(h.engine, req)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	p, err := newProgram(req.GetInfo())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	started, err := p.build(ctx, os.Stderr)
	if err != nil && ctx.Err() != nil {
		return nil, errInterrupted
	}
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}

	cmd := command(ctx, req.GetPwd(), p.exe, req.GetArgs()...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Start()
	started()
	if err == nil {
		err = cmd.Wait()
	}
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	return response(err), nil
}

// environment is how a program learns what it is run for.
func environment(engine string, req *pulumirpc.RunRequest) ([]string, error) {
	config, err := json.Marshal(req.GetConfig())
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	secrets, err := json.Marshal(req.GetConfigSecretKeys())
	if err != nil {
		return nil, fmt.Errorf("encoding the names of the secrets: %w", err)
	}
	return []string{
		pulumi.EnvOrganization + "=" + req.GetOrganization(),
		pulumi.EnvProject + "=" + req.GetProject(),
		pulumi.EnvStack + "=" + req.GetStack(),
		pulumi.EnvPulumiRootDirectory + "=" + req.GetInfo().GetRootDirectory(),
		pulumi.EnvConfig + "=" + string(config),
		pulumi.EnvConfigSecretKeys + "=" + string(secrets),
		pulumi.EnvDryRun + "=" + strconv.FormatBool(req.GetDryRun()),
		pulumi.EnvParallel + "=" + strconv.Itoa(int(req.GetParallel())),
		pulumi.EnvMonitor + "=" + req.GetMonitorAddress(),
		pulumi.EnvEngine + "=" + engine,
	}, nil
}

// response says how the program ended.
func response(err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case !errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: "starting the program: " + err.Error()}
	case exit.ExitCode() == constant.ExitStatusLoggedError:
		return &pulumirpc.RunResponse{Bail: true} // the program has told the engine what went wrong
	case exit.ExitCode() == -1:
		return &pulumirpc.RunResponse{Error: "the program was ended by " + signalOf(exit)}
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program exited with code %d", exit.ExitCode())}
	}
}

func signalOf(exit *exec.ExitError) string {
	state, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !state.Signaled() {
		return exit.Error()
	}
	if state.Signal() == syscall.SIGKILL {
		return "SIGKILL; perhaps the machine ran out of memory"
	}
	return "signal: " + state.Signal().String()
}
