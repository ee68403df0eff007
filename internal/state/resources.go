package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Resource is one of the stack's state as it is, its secrets opened: nothing of it may be printed.
type Resource struct {
	URN, Type, ID string
	// Delete is true where the next update removes it.
	Delete          bool
	Inputs, Outputs map[string]any
}

// Name is what the program calls it.
func (r Resource) Name() string { return r.URN[strings.LastIndex(r.URN, "::")+2:] }

// Resources are all of the stack's state. It is read, and stays as it is.
func Resources(ctx context.Context, stack string) ([]Resource, error) {
	out, err := Ask(ctx, "stack", "export", "--stack", stack, "--show-secrets")
	if err != nil {
		return nil, err
	}
	return ResourcesOf(out)
}

// ResourcesOf are those of an exported state.
func ResourcesOf(export []byte) ([]Resource, error) {
	var stack struct {
		Deployment struct{ Resources []Resource }
	}
	if err := json.Unmarshal(export, &stack); err != nil {
		return nil, fmt.Errorf("pulumi stack export: %w", err)
	}
	all := stack.Deployment.Resources
	if len(all) == 0 {
		return nil, ErrEmpty
	}
	for i, r := range all {
		for _, values := range []map[string]any{r.Inputs, r.Outputs} {
			for key, value := range values {
				opened, err := open(value)
				if err != nil {
					return nil, fmt.Errorf("pulumi stack export: %s of %s: %w", key, r.URN, err)
				}
				values[key] = opened
			}
		}
		all[i] = r
	}
	return all, nil
}

// A secret in an exported state is an object with this key and value; what it hides is JSON.
const signature, secretSignature = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"

// open is a value with what is secret in it in clear.
func open(value any) (any, error) {
	switch v := value.(type) {
	case []any:
		for i := range v {
			opened, err := open(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = opened
		}
	case map[string]any:
		if v[signature] == secretSignature {
			text, clear := v["plaintext"].(string)
			if !clear {
				return nil, fmt.Errorf("it is encrypted")
			}
			var inside any
			if err := json.Unmarshal([]byte(text), &inside); err != nil {
				return nil, fmt.Errorf("it is no JSON") // which an error would show
			}
			return open(inside)
		}
		for key := range v {
			opened, err := open(v[key])
			if err != nil {
				return nil, err
			}
			v[key] = opened
		}
	}
	return value, nil
}
