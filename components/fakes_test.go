package components

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"tarot-platform/components/nginx"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/state"
)

// fakeEngine records what it is asked.
type fakeEngine struct {
	remote   bool
	standIn  string
	failures map[string]error // by the name of a container, service or signal, or a smoke test's host
	runs     bool             // nginx does, on another port than is wanted
	closed   bool             // nginx is
	// restoring is the restore that is open, once it was asked that often.
	restoring      *engine.Held
	restoringAfter int
	silent         []bool            // for each of the next questions: nginx does not answer it
	nginx          *engine.Condition // nil: it is well, if it runs
	upstreams      []string          // that nginx has
	attempt        int               // of every task
	earlier        string            // the task that an earlier `up` has left at work
	pruned         bool              // every task's container is
	before         map[string]state.Job
	force          int // of every service
	compared       engine.Comparison
	releases       []release.Release
	missing        []string // images that it has not
	locked         map[string]string
	claims         []string
	pruning        engine.Prune
	group          int    // of the engine's socket
	configured     string // what a nginx that has just started runs
	// labels are those of every image, inventories are kept by its ID, and scans by its name.
	labels      map[string]string
	inventories map[string][]byte
	scans       map[string]string
	// origin are the labels of every folder, and scan is what looks for vulnerabilities.
	origin map[string]string
	scan   Scanner
	// environment are the variables of every image.
	environment []string
	// unchecked are images without a health check, by how they begin.
	unchecked string
	// containerd is its socket, and containerdGroup whose it is, where the images are in its store.
	containerd      string
	containerdGroup int

	mu      sync.Mutex
	asked   []string
	wanted  []engine.Wanted
	marked  []string
	tested  []string // by smoke tests: which address, at which host
	last    smoke.Test
	dialled []string // where nginx was asked, and how
	// sends is what an edge has in its configuration.
	sends string
	// unpublished is true where this stack has a nginx without a port on the host.
	unpublished bool
	orphans     []engine.Orphan // all containers of the stack
	needs       engine.Needs
	obstacles   engine.Obstacles
	machine     func(*engine.Machine)
	// refused is what a registry says of an image that the engine has not, and replicates what the backups do.
	refused, replicates string
	guests              []engine.Guest
	// networks are those on which edges meet other stacks, by the edges' prefixes, and others by
	// their names.
	networks map[string]engine.Network
	// swarm are the stack's Swarm services, and ended those that were.
	swarm, ended []string
	// inner is this stack's own; without an id there is none.
	inner engine.Network
	// volumes are those that it has.
	volumes []engine.Volume
	slept   time.Duration
	// mount is what is mounted where it is looked at.
	mount engine.Mount
	// takes is how long a container takes to become healthy, and mostWaiting how many were
	// waited for at a time.
	takes                time.Duration
	waiting, mostWaiting int
	// written are the workloads that tried to write, and what.
	written []string
}

func (f *fakeEngine) ask(name, question string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, question)
	return f.failures[name]
}

func (f *fakeEngine) AwaitContainer(_ context.Context, id string, want engine.Wanted, within time.Duration) error {
	name := strings.TrimSuffix(id, "-id")
	f.mu.Lock()
	f.wanted = append(f.wanted, want)
	f.waiting++
	f.mostWaiting = max(f.mostWaiting, f.waiting)
	f.mu.Unlock()
	time.Sleep(f.takes)
	f.mu.Lock()
	f.waiting--
	f.mu.Unlock()
	return f.ask(name, fmt.Sprintf("container %s runs %s within %s", name, want.Image, within))
}

func (f *fakeEngine) AwaitJob(_ context.Context, id string, within time.Duration) error {
	name := strings.TrimSuffix(id, "-id")
	return f.ask(name, fmt.Sprintf("job %s ends within %s", name, within))
}

func (f *fakeEngine) AwaitEarlier(_ context.Context, _, task string, _ time.Duration, tell func(string)) error {
	if f.earlier == task {
		tell("an earlier run is still at work")
	}
	return f.failures["earlier "+task]
}

func (f *fakeEngine) AwaitService(_ context.Context, name string, want engine.Tasks, within time.Duration) error {
	return f.ask(name, fmt.Sprintf("service %s runs %d of %s within %s", name, want.Replicas, want.Image, within))
}

func (f *fakeEngine) StopContainer(_ context.Context, id string, _ time.Duration) error {
	return f.ask("", "stop "+strings.TrimSuffix(id, "-id"))
}

func (f *fakeEngine) ScaleService(_ context.Context, name string, replicas int) error {
	return f.ask("", fmt.Sprintf("scale %s to %d", name, replicas))
}

// EndServices are those of `swarm` that go.
func (f *fakeEngine) EndServices(_ context.Context, _ string, going func(string) bool) error {
	for _, name := range f.swarm {
		if going(name) {
			f.ended = append(f.ended, name)
		}
	}
	return f.failures["end"]
}

func (f *fakeEngine) Signal(_ context.Context, prefix, workload, signal string) error {
	return f.ask(signal, signal+" to "+prefix+"-"+workload)
}

func (f *fakeEngine) PruneReleases(_ context.Context, r engine.Prune) ([]string, error) {
	f.pruning = r
	return nil, f.ask("prune", fmt.Sprintf("prune to %d of %s and %s", r.Keep, r.Prefix, r.Repository))
}

// Claim is recorded with how much was asked until it was released.
func (f *fakeEngine) Claim(_ context.Context, prefix string, images ...string) (func() error, error) {
	f.claims = append(f.claims, fmt.Sprintf("%s for %s from %d", strings.Join(images, " "), prefix, len(f.asked)))
	return func() error {
		f.claims = append(f.claims, fmt.Sprintf("until %d", len(f.asked)))
		return nil
	}, f.failures["claim"]
}

// Fix takes what has "moving" in its name for a tag of an image that was built here.
func (f *fakeEngine) Fix(_ context.Context, name, repository string) (engine.Fixed, error) {
	if strings.Contains(name, "moving") {
		return engine.Fixed{Name: repository + ":00000000000000cc", Tag: true, Warning: "it moves"}, nil
	}
	return engine.Fixed{Name: name}, f.failures["fix"]
}

// exact is what images are locked to; nothing: there can be no such image.
func (f *fakeEngine) exact(_ context.Context, name string) (string, error) {
	to, is := f.locked[name]
	if !is {
		return name, nil
	}
	if to == "" {
		return "", errors.New(name + " can't be had")
	}
	return to, nil
}

func (f *fakeEngine) TagImage(_ context.Context, image, name string) error {
	return f.ask("tag", "tag "+image+" as "+name)
}

func (f *fakeEngine) HasImage(_ context.Context, reference string) (bool, error) {
	return !slices.Contains(f.missing, reference), nil
}

func (f *fakeEngine) CheckWritable(_ context.Context, _, workload string, places ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = append(f.written, workload+" "+strings.Join(places, " "))
	return f.failures["write in "+workload]
}

func (f *fakeEngine) RemoveContainer(context.Context, string, string) (bool, error) { return true, nil }
func (f *fakeEngine) RemoveService(context.Context, string, string) (bool, error)   { return true, nil }
func (f *fakeEngine) RemoveNetwork(context.Context, string, string) (bool, error)   { return true, nil }

func (f *fakeEngine) HasNetwork(context.Context, string, string) (bool, error) { return f.runs, nil }

func (f *fakeEngine) Attempt(context.Context, string, string) (int, bool, error) {
	return f.attempt, !f.pruned, nil
}
func (f *fakeEngine) jobs(context.Context) (map[string]state.Job, error) {
	return f.before, f.failures["state"]
}
func (f *fakeEngine) ContainerAddresses(_ context.Context, ids []string) ([]string, error) {
	return ids, f.failures["addresses"]
}
func (f *fakeEngine) ServiceAddresses(_ context.Context, name string) ([]string, error) {
	return []string{name}, f.failures["addresses"]
}
func (f *fakeEngine) known(context.Context) (map[string]bool, error) {
	if err := f.failures["known"]; err != nil {
		return nil, err
	}
	return map[string]bool{"known-id": true}, nil
}
func (f *fakeEngine) Orphans(context.Context, string, []string) ([]engine.Orphan, error) {
	return slices.Clone(f.orphans), f.failures["orphans"]
}
func (f *fakeEngine) Remove(_ context.Context, orphans []engine.Orphan) error {
	var names []string
	for _, s := range orphans {
		names = append(names, s.Name)
	}
	return f.ask("remove", "remove "+strings.Join(names, ", "))
}
func (f *fakeEngine) GiveUpService(_ context.Context, name string) error {
	return f.ask("", "give up "+name)
}

func (f *fakeEngine) ServiceForce(context.Context, string) (int, error) { return f.force, nil }
func (f *fakeEngine) CompareServices(context.Context, string, string) (engine.Comparison, error) {
	return f.compared, nil
}
func (f *fakeEngine) Logs(context.Context, string) string         { return "\nthe log" }
func (f *fakeEngine) Tail(context.Context, string, string) string { return "\nthe log" }
func (f *fakeEngine) Runs(_ context.Context, _, workload string) (int, error) {
	if f.runs || workload == "backup-replicator" && f.replicates != "" {
		return 1, nil
	}
	return 0, nil
}
func (f *fakeEngine) Mounted(_ context.Context, _, _, volume string) (bool, error) {
	return f.runs && volume == "tarot_db_data", nil
}
func (f *fakeEngine) MarkUses(_ context.Context, uses []engine.Use, claim bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marked = append(f.marked, fmt.Sprintf("%d volumes of %s, a claim: %v, after %d questions", len(uses), uses[0].Stack, claim, len(f.asked)))
	return f.failures["mark"]
}
func (f *fakeEngine) Condition(context.Context, string, string) (engine.Condition, error) {
	if f.nginx != nil {
		return *f.nginx, f.failures["condition"]
	}
	return engine.Condition{There: f.runs, Says: "as the test says"}, f.failures["condition"]
}
func (f *fakeEngine) Revive(_ context.Context, prefix, workload string) error {
	return f.ask("revive", "revive "+prefix+"-"+workload)
}
func (f *fakeEngine) Published(_ context.Context, prefix, _ string) (map[int]engine.Published, error) {
	if f.runs && !(f.unpublished && prefix == "tarot-test") {
		return map[int]engine.Published{8080: {Address: "0.0.0.0", Port: 80}, 8443: {Address: "0.0.0.0", Port: 4443}}, nil
	}
	return nil, nil
}
func (f *fakeEngine) Exec(_ context.Context, prefix, workload string, command ...string) (string, error) {
	if workload == "backup-replicator" {
		return f.replicates, nil
	}
	if command[0] == "cat" { // an edge's configuration
		return f.sends, f.failures["cat"]
	}
	return "", f.ask("exec", strings.Join(command, " ")+" in "+prefix+"-"+workload)
}
func (f *fakeEngine) Releases(context.Context, string) ([]release.Release, error) {
	return f.releases, nil
}

func (f *fakeEngine) ExecWith(_ context.Context, prefix, workload, _ string, command ...string) (string, error) {
	return "", f.ask("exec", strings.Join(command, " ")+" in "+prefix+"-"+workload)
}

func (f *fakeEngine) dial(c edge.Client) nginx.Client {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dialled = append(f.dialled, fmt.Sprintf("%s from inside: %v", c.Base, c.By != nil))
	return fakeNginx{f, c.Base}
}

// fakeNginx runs an earlier configuration until it is told to reload.
type fakeNginx struct {
	*fakeEngine
	base string
}

func (f fakeNginx) State(context.Context) (edge.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	silent := f.runs && len(f.silent) > 0 && f.silent[0]
	if len(f.silent) > 0 {
		f.silent = f.silent[1:]
	}
	switch {
	case f.configured != "":
		return edge.State{Configuration: f.configured, Upstreams: f.upstreams, Closed: f.closed}, nil
	case !f.runs:
		return edge.State{}, errors.New("nobody listens")
	case silent:
		return edge.State{}, errors.New("no answer")
	}
	return edge.State{Configuration: "earlier", Upstreams: f.upstreams, Closed: f.closed}, nil
}

func (f fakeNginx) Await(_ context.Context, configuration string, within time.Duration) error {
	f.mu.Lock()
	told := slices.ContainsFunc(f.asked, func(question string) bool { return strings.HasPrefix(question, "SIGHUP to ") })
	if f.runs && !told {
		f.mu.Unlock()
		return errors.New("nginx runs the configuration earlier")
	}
	f.configured = configuration
	f.mu.Unlock()
	return f.ask("nginx", fmt.Sprintf("nginx runs its configuration within %s", within))
}

// check is the smoke test, and knows its host by the token's end.
func (f *fakeEngine) check(_ context.Context, test smoke.Test, within time.Duration) error {
	_, host, _ := strings.Cut(test.Header.Get(edge.Header), ".")
	name, _, _ := strings.Cut(host, ":")
	f.mu.Lock()
	how := ""
	if test.Transport != nil {
		how = ", from inside"
	}
	f.tested = append(f.tested, test.Base+" at "+test.Connect+how)
	f.last = test
	f.mu.Unlock()
	return f.ask("smoke "+name, fmt.Sprintf("smoke test of %s%s %s within %s", test.Base, test.Health, host, within))
}

// Files are none: nothing is read of an image but that it was.
func (f *fakeEngine) Files(_ context.Context, _, image string, read func(io.Reader) error) error {
	if err := f.failures["files of "+image]; err != nil {
		return err
	}
	return read(bytes.NewReader(make([]byte, 1024)))
}

func (f *fakeEngine) Inventory(_ context.Context, _, id string) ([]byte, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	document, there := f.inventories[id]
	return document, there, nil
}

func (f *fakeEngine) KeepInventory(_ context.Context, _, _, id string, document []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inventories == nil {
		f.inventories = map[string][]byte{}
	}
	f.inventories[id] = document
	return nil
}

func (f *fakeEngine) KeepScan(_ context.Context, _, image, _ string, result []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.scans == nil {
		f.scans = map[string]string{}
	}
	f.scans[image] = string(result)
	return nil
}

func (f *fakeEngine) Image(_ context.Context, reference string) (engine.Image, error) {
	image := engine.Image{ID: "sha256:of " + reference, Labels: f.labels, Start: []string{"/start", "it"}, Health: []string{"CMD", "/healthy"}, Environment: f.environment}
	if f.unchecked != "" && strings.HasPrefix(reference, f.unchecked) {
		image.Health = nil
	}
	if f.standIn != "" {
		image.StandIn = f.standIn + " for " + reference
	}
	return image, f.failures[reference]
}

func (f *fakeEngine) HostPaths() engine.HostPaths {
	if f.containerd != "" {
		return engine.HostPaths{Socket: "/var/run/docker.sock", Group: f.group, Containerd: f.containerd, ContainerdGroup: f.containerdGroup}
	}
	return engine.HostPaths{Socket: "/var/run/docker.sock", Group: f.group, Layers: "/var/lib/docker/image/overlay2/layerdb/mounts"}
}

func (f *fakeEngine) Obstacles(_ context.Context, needs engine.Needs) (engine.Obstacles, error) {
	f.needs = needs
	if err := f.failures["preflight"]; err != nil {
		return engine.Obstacles{Ports: []error{err}}, nil
	}
	return f.obstacles, f.failures["obstacles"]
}

// Machine has room for everything, and a clock that is right.
func (f *fakeEngine) Machine(context.Context, string, []string) engine.Machine {
	m := engine.Machine{Address: "unix:///x", Version: "28.5.2", Memory: 64 << 30, ClockKnown: true, Disk: engine.Disk{Folder: "/var/lib/docker", Free: 900 << 30, Size: 999 << 30}}
	if f.machine != nil {
		f.machine(&m)
	}
	return m
}

func (f *fakeEngine) Obtainable(_ context.Context, image string) (bool, string, error) {
	err := f.failures["registry"]
	return err == nil && f.refused == "" && !slices.Contains(f.missing, image), f.refused, err
}
func (f *fakeEngine) SizeOf(context.Context, []string) int64 { return 0 }
func (f *fakeEngine) CheckUses(context.Context, []engine.Use) ([]string, []error, error) {
	if f.failures["uses"] != nil {
		return []string{"it may be another's"}, []error{f.failures["uses"]}, nil
	}
	return nil, nil, nil
}

// Network is an edge's, by the driver of the fake; the stack's own only where it has one.
func (f *fakeEngine) Network(_ context.Context, prefix, name string) (engine.Network, bool, error) {
	n, there := f.networks[prefix+"-"+name]
	switch {
	case there:
	case name != engine.SitesNetwork:
		return f.inner, f.inner.ID != "", f.failures["network"]
	default:
		n, there = f.networks[prefix]
	}
	n.Name, n.ID = prefix+"-"+name, prefix+"-"+name+"-id"
	return n, there, f.failures["network"]
}
func (f *fakeEngine) Volume(_ context.Context, name string) (engine.Volume, bool, error) {
	for _, v := range f.volumes {
		if v.Name == name {
			return v, true, f.failures["volume"]
		}
	}
	return engine.Volume{}, false, f.failures["volume"]
}

func (f *fakeEngine) LookAt(_ context.Context, _, image, folder string) (engine.Mount, error) {
	return f.mount, f.ask("look", fmt.Sprint("look at ", folder, " with ", image))
}
func (f *fakeEngine) EngineLies(context.Context, string, string) (engine.Medium, error) {
	return f.mount.Medium, f.failures["look"]
}
func (f *fakeEngine) MakeFolders(_ context.Context, _, _, below string, names []string) error {
	return f.ask("folders", fmt.Sprint("folders below ", below, ": ", names))
}
func (f *fakeEngine) FirstThere(_ context.Context, images []string) (string, error) {
	for _, image := range images {
		if !slices.Contains(f.missing, image) {
			return image, nil
		}
	}
	return "", f.failures["images"]
}

func (f *fakeEngine) Operating(context.Context, string) (engine.Held, bool, error) {
	if err := f.failures["restoring"]; err != nil || f.restoring == nil {
		return engine.Held{}, false, err
	}
	f.restoringAfter--
	return *f.restoring, f.restoringAfter < 0, nil
}

func (f *fakeEngine) Guests(context.Context, string) ([]engine.Guest, error) { return f.guests, nil }

func (f *fakeEngine) Platform() string { return "linux/amd64" }
func (f *fakeEngine) Local() bool      { return !f.remote }
func (f *fakeEngine) Host() string {
	if f.remote {
		return "docker.example"
	}
	return "localhost"
}
