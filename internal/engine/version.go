package engine

import (
	"context"
	"fmt"
)

// Version is what the engine calls itself, and the API that it speaks.
func (e *Engine) Version(ctx context.Context) (string, error) {
	v, err := e.api.ServerVersion(ctx)
	if err != nil {
		return "", fmt.Errorf("docker engine: %w", err)
	}
	return fmt.Sprintf("%s (API %s, %s/%s)", v.Version, v.APIVersion, v.Os, v.Arch), nil
}
