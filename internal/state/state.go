// Package state asks Pulumi's CLI what is in a stack's state.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	out, err := export(ctx, stack)
	if err != nil {
		return nil, err
	}
	return ids(out)
}

func export(ctx context.Context, stack string) ([]byte, error) {
	return Ask(ctx, "stack", "export", "--stack", stack)
}

// resource is one in an exported state.
type resource struct {
	URN, Type, ID  string
	Delete         bool // by the next update
	RetainOnDelete bool
	Inputs         struct{ Labels any }
	Outputs        struct{ Name, Driver, Tasks any }
}

func resources(export []byte) ([]resource, error) {
	var stack struct {
		Deployment struct{ Resources []resource }
	}
	if err := json.Unmarshal(export, &stack); err != nil {
		return nil, fmt.Errorf("pulumi stack export: %w", err)
	}
	return stack.Deployment.Resources, nil
}

// ErrEmpty is told of a state without a resource.
var ErrEmpty = errors.New("pulumi stack export: there is nothing in it")

func ids(export []byte) (map[string]bool, error) {
	found, err := resources(export)
	if err != nil {
		return nil, err
	}
	// A state without anything is not this one: its stack has just been brought up.
	if len(found) == 0 {
		return nil, ErrEmpty
	}
	all := map[string]bool{}
	for _, r := range found {
		all[r.ID] = true
	}
	return all, nil
}

// Volume is a Docker volume in a stack's state.
type Volume struct {
	// Name and Driver are those of the volume itself.
	Name, Driver string
	// Retained is false where Pulumi removes the volume, with what is in it, when it
	// deletes or replaces the resource. It is the state's word that counts there,
	// whatever the program says by then.
	Retained bool
}

// Volumes are those in the stack's state, by the names of their resources; none
// before the first update.
func Volumes(ctx context.Context, stack string) (map[string]Volume, error) {
	out, err := export(ctx, stack)
	if err != nil {
		return nil, err
	}
	return volumes(out)
}

func volumes(export []byte) (map[string]Volume, error) {
	found, err := resources(export)
	if err != nil {
		return nil, err
	}
	all := map[string]Volume{}
	for _, r := range found {
		if r.Type != "docker:index/volume:Volume" || r.Delete {
			continue
		}
		name, ok := r.Outputs.Name.(string)
		if !ok {
			return nil, fmt.Errorf("pulumi stack export: the name of %s is %v", r.URN, r.Outputs.Name)
		}
		driver, _ := r.Outputs.Driver.(string)
		all[r.URN[strings.LastIndex(r.URN, "::")+2:]] = Volume{name, driver, r.RetainOnDelete}
	}
	return all, nil
}
