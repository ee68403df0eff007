package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/constant"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// report tells Pulumi why the program has failed, as pulumi.Run does, and returns its exit code. By
// now nothing of it is under way any more.
func report(err error) int {
	if logError(os.Getenv(pulumi.EnvEngine), err) == nil {
		return constant.ExitStatusLoggedError
	}
	// It is gone, and the reason may still be read where this was started.
	_, _ = os.Stderr.WriteString(err.Error() + "\n")
	return 1
}

// logError tells Pulumi's engine of an error. pulumi.Run does that, too, and ends the program before
// anything else can be done.
func logError(address string, err error) error {
	connection, dialled := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if dialled != nil {
		return dialled
	}
	defer func() { _ = connection.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	_, logged := pulumirpc.NewEngineClient(connection).Log(ctx, &pulumirpc.LogRequest{Severity: pulumirpc.LogSeverity_ERROR,
		Message: strings.ToValidUTF8(fmt.Sprintf("an unhandled error occurred: program failed: \n%v", err), "�")})
	return logged
}

// reportTime is more than a Pulumi that listens takes.
const reportTime = 10 * time.Second
