// Pulumi-language-go is a small Go language host: the CLI starts it, asks it to build and run the program, and stops it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"tarot-platform/toolchain/internal/langhost"
)

// An engine that was killed cannot say goodbye; this is how long its program may outlive it.
const engineCheck = 5 * time.Second

func main() {
	flag.String("tracing", "", "accepted, because the CLI may pass it; not used")
	flag.String("root", "", "accepted, because older CLIs pass it; not used")
	flag.Parse()
	if err := serve(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-go:", err)
		os.Exit(1)
	}
}

// serve answers the engine until it stops us (SIGINT), somebody else does (SIGTERM), or it is gone.
func serve(engine string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if engine != "" {
		if err := rpcutil.Healthcheck(ctx, engine, engineCheck, stop); err != nil {
			return fmt.Errorf("watching the engine at %s: %w", engine, err)
		}
	}

	host := langhost.New(ctx, engine)
	cancel := make(chan bool)
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(s *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(s, host)
			return nil
		},
	})
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		close(cancel) // waits for calls under way; the program is being interrupted by the same ctx
	}()

	fmt.Println(server.Port) // the CLI reads this line to find us
	return <-server.Done
}
