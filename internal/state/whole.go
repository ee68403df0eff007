package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tarot-platform/internal/engine"
)

// Whole is a stack's state as far as it can be read without its passphrase: what is secret in there stays closed.
type Whole struct {
	// Outputs are the stack's, in JSON.
	Outputs json.RawMessage
	// Resources are Docker's, that are to be there.
	Resources []Declared
}

// Declared is one of Docker's.
type Declared struct {
	// Kind is container, service, network, volume or another of the provider's words, Name is the resource's,
	// and ID is the engine's.
	Kind, Name, ID string
	// Job is true for a container that runs once, or never, and may be gone when it has.
	Job bool
	// Networks are the ids of those that a container is on, with the names that it has there.
	Networks map[string][]string
}

// Read reads the state once.
func Read(ctx context.Context, stack string) (Whole, error) {
	out, err := export(ctx, stack)
	if err != nil {
		return Whole{}, err
	}
	return whole(out)
}

func whole(export []byte) (Whole, error) {
	var read struct {
		Deployment struct {
			Resources []struct {
				URN, Type, ID string
				Delete        bool
				Inputs        struct {
					NetworksAdvanced json.RawMessage
					Labels           any
				}
				Outputs json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(export, &read); err != nil {
		return Whole{}, fmt.Errorf("pulumi stack export: %w", err)
	}
	var w Whole
	for _, r := range read.Deployment.Resources {
		if r.Type == "pulumi:pulumi:Stack" {
			w.Outputs = r.Outputs
		}
		kind, of := strings.CutPrefix(r.Type, "docker:index/")
		if !of || r.ID == "" || r.Delete {
			continue
		}
		kind, _, _ = strings.Cut(kind, ":")
		labels := labelsOf(resource{Inputs: struct{ Labels any }{r.Inputs.Labels}})
		_, job := labels[engine.AttemptLabel]
		_, runs := labels[engine.WorkloadLabel]
		job = kind == "container" && (job || !runs)
		one := Declared{Kind: kind, Name: r.URN[strings.LastIndex(r.URN, "::")+2:], ID: r.ID, Job: job}
		var networks []struct {
			Name    string
			Aliases []string
		}
		// What is secret there is no list, and tells nothing.
		if err := json.Unmarshal(r.Inputs.NetworksAdvanced, &networks); err == nil && len(networks) > 0 {
			one.Networks = map[string][]string{}
			for _, n := range networks {
				one.Networks[n.Name] = n.Aliases
			}
		}
		w.Resources = append(w.Resources, one)
	}
	return w, nil
}
