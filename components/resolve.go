package components

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// table is what names stand for. Parts that follow the release run at once, and read while
// others write.
type table[V any] struct {
	mu sync.Mutex
	of map[string]V
}

func (t *table[V]) set(name string, value V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]V{}
	}
	t.of[name] = value
}

// get is the zero value where nothing has the name.
func (t *table[V]) get(name string) V {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of[name]
}

// all is a copy.
func (t *table[V]) all() map[string]V {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.of)
}

// workload is a service with what its names stand for.
func (r *realised) workload(s part.Service) (workload.Workload, error) {
	w := workload.Workload{Program: s.Program, Image: r.images.get(s.Image).Image}
	for _, f := range s.Files {
		content, err := r.text(f.Text)
		if err != nil {
			return w, fmt.Errorf("%s: %w", f.Name, err)
		}
		w.Files = append(w.Files, workload.File{Name: f.Name, Content: content})
	}
	for _, f := range s.Secrets {
		w.Secrets = append(w.Secrets, workload.Secret{Name: f.Name, Variable: f.Variable, Export: f.Export, Value: r.secret(f)})
	}
	for _, m := range s.Mounts {
		mount := workload.Mount{Kind: m.Kind, Target: m.Target, ReadOnly: m.ReadOnly}
		switch m.Kind {
		case workload.Volume:
			mount.Source = r.volumes.get(m.Source)
		case workload.Bind:
			mount.Source = pulumi.String(m.Source)
		}
		w.Mounts = append(w.Mounts, mount)
	}
	for _, name := range s.Networks { // without isolation, several are one
		if n := r.networks.get(name); !slices.Contains(w.Networks, n) {
			w.Networks = append(w.Networks, n)
		}
	}
	return w, nil
}

func (r *realised) secret(f part.SecretFile) pulumi.StringOutput {
	value := r.secrets.get(f.Secret)
	if f.Make == nil {
		return value
	}
	return pulumi.ToSecret(value.ApplyT(f.Make)).(pulumi.StringOutput)
}

// text is a text that is known, or will be.
func (r *realised) text(t part.Text) (pulumi.StringInput, error) {
	if text, known := t.Known(); known {
		return pulumi.String(text), nil
	}
	var of []any
	for _, name := range t.Services() {
		running := r.running.get(name)
		if running.Running == nil {
			return nil, fmt.Errorf("it is made of where the service %s is, which does not run", name)
		}
		of = append(of, running.Hosts.ToStringArrayOutput(), running.Addresses.ToStringArrayOutput())
	}
	for _, name := range t.Secrets() {
		of = append(of, r.secrets.get(name))
	}
	return pulumi.Unsecret(pulumi.All(of...).ApplyT(func(values []any) (string, error) {
		later := part.Later{Secrets: map[string]string{}, Replicas: map[string]part.Replicas{}}
		for i, name := range t.Services() {
			later.Replicas[name] = part.Replicas{Hosts: values[2*i].([]string), Addresses: values[2*i+1].([]string)}
		}
		for i, name := range t.Secrets() {
			later.Secrets[name] = values[2*len(t.Services())+i].(string)
		}
		return t.Make(later)
	})).(pulumi.StringOutput), nil
}
