// A Pulumi program that deploys a Python web backend on Docker.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/probe"
)

func main() {
	pulumi.Run(deploy)
}

func deploy(ctx *pulumi.Context) error {
	cfg, err := loadConfig(ctx.Project())
	if err != nil {
		return err
	}
	docker, err := engine.Open(ctx.Context())
	if err != nil {
		return err
	}
	prefix := ctx.Project() + "-" + ctx.Stack()
	if err := docker.Preflight(context.WithoutCancel(ctx.Context()), cfg, prefix); err != nil {
		return err
	}
	platform, err := components.NewPlatform(ctx, "platform", &components.PlatformArgs{
		Config: cfg, Engine: docker, Prefix: prefix, Answers: probe.Answers,
	})
	if err != nil {
		return err
	}
	for name, value := range platform.Outputs {
		ctx.Export(name, value)
	}
	return nil
}

// loadConfig reads the whole configuration at once: Pulumi's own accessors take
// a key at a time, and would never see one that is misspelt.
func loadConfig(namespace string) (config.Config, error) {
	raw := map[string]string{}
	if text := os.Getenv(pulumi.EnvConfig); text != "" {
		if err := json.Unmarshal([]byte(text), &raw); err != nil {
			return config.Config{}, fmt.Errorf("%s: %w", pulumi.EnvConfig, err)
		}
	}
	return config.Load(raw, namespace)
}
