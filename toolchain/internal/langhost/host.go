// Package langhost is a Pulumi language host for Go programs: what the engine asks of "runtime: go".
//
// It does what a project that is built from source needs: build, run, list the plugins, install, about. It does not
// generate code, run plugins written in Go, or attach debuggers; those calls answer "not implemented".
package langhost

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Host answers the engine's calls.
type Host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engine string          // the address at which the program reaches the engine
	life   context.Context // ends when the host has to stop; every program and build ends with it
	cancel context.CancelFunc
}

// New makes a host whose work ends with ctx.
func New(ctx context.Context, engine string) *Host {
	ctx, cancel := context.WithCancel(ctx)
	return &Host{engine: engine, life: ctx, cancel: cancel}
}

// during gives a context for one call: it ends with the call, and with the host.
func (h *Host) during(call context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(call)
	stop := context.AfterFunc(h.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// Cancel is the engine's wish that everything under way ends.
func (h *Host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancel()
	return &emptypb.Empty{}, nil
}

// Handshake is how an engine that attaches to a running host makes itself known.
func (h *Host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = req.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

// GetPluginInfo says which version of the SDK, and so of the protocol, this host was built with.
func (h *Host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: sdk.Version.String()}, nil
}
