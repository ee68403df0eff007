// Package state asks Pulumi's CLI what is in a stack's state.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Name is what the CLI finds the stack by: with its organization where the state's
// backend has such.
func Name(organization, project, stack string) string {
	if organization == "" || organization == "organization" {
		return stack
	}
	return organization + "/" + project + "/" + stack
}

// IDs are those of all resources in the stack's state, also of those that Pulumi has
// still to delete.
func IDs(ctx context.Context, stack string) (map[string]bool, error) {
	out, err := exec.CommandContext(ctx, "pulumi", "stack", "export", "--stack", stack, "--non-interactive").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, fmt.Errorf("pulumi stack export: %w", err)
	}
	return ids(out)
}

func ids(export []byte) (map[string]bool, error) {
	var stack struct {
		Deployment struct {
			Resources []struct{ ID string }
		}
	}
	if err := json.Unmarshal(export, &stack); err != nil {
		return nil, fmt.Errorf("pulumi stack export: %w", err)
	}
	// A state without anything is not this one: its stack has just been brought up.
	if len(stack.Deployment.Resources) == 0 {
		return nil, errors.New("pulumi stack export: there is nothing in it")
	}
	all := map[string]bool{}
	for _, r := range stack.Deployment.Resources {
		all[r.ID] = true
	}
	return all, nil
}
