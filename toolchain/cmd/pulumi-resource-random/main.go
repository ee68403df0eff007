// Pulumi-resource-random is the random provider plugin from package registries alone: the upstream Terraform provider,
// as the Go module that it is, behind Pulumi's own bridge.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	pfgen "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

// version is that of the SDK to which the plugin answers.
const version = "4.21.1"

func provider() tfbridge.ProviderInfo {
	return tfbridge.ProviderInfo{
		P:            pfbridge.ShimProvider(shim.New()),
		Name:         "random",
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*tfbridge.ResourceInfo{
			"random_bytes":    {Tok: resource("RandomBytes")},
			"random_id":       {Tok: resource("RandomId")},
			"random_integer":  {Tok: resource("RandomInteger")},
			"random_password": {Tok: resource("RandomPassword")},
			"random_pet":      {Tok: resource("RandomPet")},
			"random_shuffle":  {Tok: resource("RandomShuffle")},
			"random_string":   {Tok: resource("RandomString")},
			"random_uuid":     {Tok: resource("RandomUuid")},
			"random_uuid4":    {Tok: resource("RandomUuid4")},
			"random_uuid7":    {Tok: resource("RandomUuid7")},
		},
	}
}

func resource(name string) tokens.Type {
	return tokens.Type("random:index/" + string(name[0]|0x20) + name[1:] + ":" + name)
}

func main() {
	ctx := context.Background()
	info := provider()
	// Generated at every start, so that there is no generated file to keep in step.
	result, err := pfgen.GenerateSchema(ctx, pfgen.GenerateSchemaOptions{
		ProviderInfo:    info,
		DiagnosticsSink: diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: "never"}),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-random: generating the schema:", err)
		os.Exit(1)
	}
	pfbridge.Main(ctx, info.Name, info, pfbridge.ProviderMetadata{PackageSchema: result.ProviderMetadata.PackageSchema})
}
