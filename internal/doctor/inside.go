package doctor

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"tarot-platform/components/nginx"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
)

//go:embed inside.sh
var shellScript string

//go:embed inside.py
var pythonScript string

// most is how many containers are looked into: each costs the engine some tenths of a second.
const most = 40

// inside is what a container sees by itself.
type inside struct {
	// err is why nothing is known of it; errBare for one that has no shell, which is no fault.
	err  error
	said [][]string
	// addresses are those in the variables of a program of the application's, and untold why they are not known.
	addresses []address
	untold    error
}

// errBare is of a container without a shell.
var errBare = errors.New("it has no shell")

// errCut is of an answer without its end: what is missing says nothing.
var errCut = errors.New("it has not answered to the end")

// address is one of a variable, without its password. Scheme "out" is a name server of the machine's.
type address struct{ Name, Scheme, To, Error string }

// of are the answers to a kind of question, without that.
func (i inside) of(kind string) (all [][]string) {
	for _, line := range i.said {
		if line[0] == kind {
			all = append(all, line[1:])
		}
	}
	return all
}

// stateTime is how long the places that are written are waited for: they are in Pulumi's state.
const stateTime = 2500 * time.Millisecond

// lookInside asks in all containers that run.
func (p *patient) lookInside(ctx context.Context) (map[string]inside, error) {
	all, err := p.living(ctx)
	if err != nil {
		return nil, err
	}
	served, _ := p.served.get(ctx) // what there is in Swarm beside containers
	waiting, cancel := context.WithTimeout(ctx, stateTime)
	defer cancel()
	out := p.outputs(waiting)
	var mu sync.Mutex
	found := map[string]inside{}
	var looked []body
	for _, b := range all {
		if b.running() && len(looked) < most {
			looked = append(looked, b)
		}
	}
	many(looked, func(b body) {
		in := p.lookInto(ctx, b, p.questions(ctx, b, all, served, out))
		mu.Lock()
		defer mu.Unlock()
		found[b.ID] = in
	})
	return found, nil
}

func (p *patient) lookInto(ctx context.Context, b body, questions []string) (in inside) {
	said, err := p.Engine.Within(ctx, b.ID, "", append([]string{"/bin/sh", "-c", shellScript, "doctor"}, questions...)...)
	var ended *engine.ExitError
	switch {
	case errors.As(err, &ended) && (ended.Code == 126 || ended.Code == 127), err != nil && strings.Contains(err.Error(), "executable file not found"):
		return inside{err: errBare}
	case err != nil:
		return inside{err: err}
	case !strings.HasSuffix(said, "end\n"):
		return inside{err: errCut}
	}
	for line := range strings.Lines(said) {
		in.said = append(in.said, strings.Split(strings.TrimRight(line, "\n"), "\t"))
	}
	if !p.ofApplication(b.Of) {
		return in
	}
	command := []string{"/bin/sh", "-c", `python=$(command -v python3 || command -v python) || exit 0; exec "$python" -c "$@"`, "doctor", pythonScript}
	if p.Resolver != "" && slices.ContainsFunc(questions, func(q string) bool { return q == wayOut }) {
		command = append(command, p.Resolver)
	}
	said, err = p.Engine.Within(ctx, b.ID, "", command...)
	if err != nil {
		in.untold = err
		return in
	}
	for line := range strings.Lines(said) {
		var a address
		if json.Unmarshal([]byte(line), &a) == nil {
			in.addresses = append(in.addresses, a)
		}
	}
	return in
}

// unheard is why one that was asked has not answered; nil: all have that can.
func unheard(insides map[string]inside) error {
	for _, in := range insides {
		if in.err != nil && !errors.Is(in.err, errBare) {
			return in.err
		}
	}
	return nil
}

// wayOut is asked of who is to have one.
const wayOut = "out=yes"

// ofApplication is true for the backend and the services that are the user's.
func (p *patient) ofApplication(workload string) bool {
	_, service := p.Config.Services[workload]
	return workload == config.BackendName || service
}

// questions are those for a container.
func (p *patient) questions(ctx context.Context, b body, all []body, served []engine.Served, out outputs) []string {
	asked := []string{"net=", "killed=", "room=/"}
	for _, m := range b.Mounts {
		if m.Type == "volume" && m.RW {
			asked = append(asked, "room="+m.Destination)
		}
	}
	for _, place := range p.writes(b, out) {
		asked = append(asked, "write="+place)
	}
	for _, name := range neighbours(b, all, served) {
		asked = append(asked, "name="+name)
	}
	networks, err := p.networks.get(ctx)
	if err == nil {
		for _, n := range networks {
			if on := b.NetworkSettings.Networks[n.Name]; on != nil && !n.Internal {
				asked = append(asked, wayOut)
				break
			}
		}
	}
	if b.Of == nginx.Name {
		asked = append(asked, "nginx="+edge.Folder)
		for _, m := range b.Mounts {
			if m.Destination == staticFolder {
				asked = append(asked, "static="+staticFolder)
			}
		}
	}
	return asked
}

// staticFolder is where nginx has the static files.
const staticFolder = "/srv/static"

// writes are the places that a workload has to be able to write.
func (p *patient) writes(b body, out outputs) []string {
	if s, known := out.Services[b.Of]; known {
		return s.Writes
	}
	var all []string
	for _, m := range b.Mounts {
		if b.Of == config.BackendName && m.Type == "volume" && m.RW && m.Name == p.Config.Volumes.Data {
			all = append(all, m.Destination)
		}
	}
	return all
}

// neighbours are names by which a container finds others, one of each workload that runs on a network of its own.
func neighbours(b body, all []body, served []engine.Served) (names []string) {
	runs := map[string]bool{}
	for _, other := range all {
		if other.Of == b.Of || !other.running() {
			continue
		}
		runs[other.Of] = true
		for name, n := range other.NetworkSettings.Networks {
			if b.NetworkSettings.Networks[name] == nil || other.Task {
				continue
			}
			for _, alias := range n.Aliases {
				if !strings.HasPrefix(other.ID, alias) && alias != other.Workload.Name {
					names = append(names, alias)
					break
				}
			}
		}
	}
	for _, s := range served {
		spec := s.Spec.TaskTemplate.ContainerSpec
		if spec == nil || !runs[spec.Labels[engine.WorkloadLabel]] {
			continue
		}
		for _, target := range s.Spec.TaskTemplate.Networks {
			for _, mine := range b.NetworkSettings.Networks {
				if mine.NetworkID == target.Target && len(target.Aliases) > 0 {
					names = append(names, target.Aliases[0])
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
