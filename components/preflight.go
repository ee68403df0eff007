package components

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/checks"
	"tarot-platform/internal/cron"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/preflight"
)

// preflight goes through the checklist before anything is touched. What would make the deploy fail
// half-way is refused, all at once, and what may make it, or a later one, fail is told.
func (r *rollout) preflight() error {
	l, err := r.checklist()
	if err != nil {
		return err
	}
	running := ""
	if len(r.found) > 0 {
		running = r.found[0].Name
	}
	if r.args.Checked != nil {
		if err := r.args.Checked(l.Report(r.ctx.Stack(), running)); err != nil {
			return err
		}
	}
	for _, w := range l.Warnings() {
		if err := r.ctx.Log.Warn(w, nil); err != nil {
			return err
		}
	}
	return l.Stops()
}

// checklist asks all, and what takes its time at once. An error is that somebody without whose answer no
// deploy goes on has not given one.
func (r *rollout) checklist() (*preflight.List, error) {
	l := &preflight.List{Accepted: r.args.Config.Preflight.Accept, Back: r.args.Pinned}
	if err := r.checkOperation(); err != nil {
		l.Refuse("turn", "nobody else changes the stack", "", err)
		return l, nil
	}
	atWork, err := r.atWork()
	if err != nil {
		return nil, err
	}
	l.Warn("turn", "nobody else changes the stack", "nobody does", atWork)
	l.Add(checks.Check{ID: "environment", Checked: "the stack's file is complete: each key is known, each secret and file that it names is there", Result: checks.Pass,
		Found: fmt.Sprintf("%d secrets are set", len(r.args.Config.Secrets))})

	needs := part.Needs(r.context, r.parts)
	later := r.ask(needs)
	found, err := r.args.Engine.Obstacles(r.ctx.Context(), needs)
	if err != nil {
		return nil, err
	}
	answers := later()
	r.aboutMachine(l, needs, found, answers)
	r.aboutRelease(l, answers)
	return l, r.aboutStack(l, found)
}

// aboutMachine is what the engine and its machine have for the stack.
func (r *rollout) aboutMachine(l *preflight.List, needs engine.Needs, found engine.Obstacles, a answers) {
	newest := time.Time{}
	if len(r.found) > 0 {
		newest = r.found[0].Created
	}
	l.Add(checks.Check{ID: "engine", Checked: "the engine answers", Result: checks.Pass, Found: a.machine.Address})
	l.Add(preflight.Version(a.machine.Version))
	l.Add(preflight.Clock(a.machine.Ahead, a.machine.ClockKnown, newest, time.Now()))
	l.Refuse("swarm", "Swarm runs the tasks on this engine alone", needsOf(needs.Swarm), found.Nodes...)
	l.Refuse("cpus", "there are as many cores as a container may use", "", found.CPUs...)
	l.Add(preflight.Memory(a.machine, needs))
	l.Add(preflight.Disk(a.machine.Disk, a.machine.DiskUnknown, a.image))
	l.Refuse("ports", "the host's ports are free, or the stack's", fmt.Sprintf("%d of them", len(needs.Ports)), found.Ports...)
	l.Refuse("privileged-ports", "the engine's user is allowed to have the ports", "", found.Rights...)
	l.Refuse("subnets", "no other network overlaps with the stack's", fmt.Sprintf("%d of them", len(needs.Subnets)), found.Subnets...)
	if len(found.IPv6) > 0 || !needs.IPv6 {
		l.Refuse("ipv6", "users who come by IPv6 have their own addresses", "nginx.ipv6 is off", found.IPv6...)
	} else {
		l.Add(preflight.IPv6(a.machine.Version))
	}
	l.Add(preflight.Images(a.images))
	l.Add(preflight.Firewall(a.guarded, r.ctx.Stack()))
}

func needsOf(swarm bool) string {
	if swarm {
		return "it is a manager, and the only node that fits"
	}
	return "the stack is of plain containers"
}

// aboutRelease is what is to be deployed, beside what runs.
func (r *rollout) aboutRelease(l *preflight.List, a answers) {
	cfg := r.args.Config
	switch {
	case !cfg.Nginx.Enabled || cfg.Nginx.TLS.Mode == "off" || cfg.BehindEdge():
		l.Add(checks.Check{ID: "certificate", Checked: "the certificate is valid, and for each of the names", Result: checks.Skip, Found: "this stack has none"})
	case cfg.Nginx.TLS.Mode != "given":
		l.Add(checks.Check{ID: "certificate", Checked: "the certificate is valid, and for each of the names", Result: checks.Pass, Found: "the platform gets it for the names, and a new one in time (nginx.tls.mode " + cfg.Nginx.TLS.Mode + ")"})
	default:
		pair, err := cfg.GivenCertificate()
		l.Add(preflight.Certificate(pair, err, cfg.Nginx.ServerNames, time.Now()))
	}
	m := r.migration()
	l.Add(m.Check())
	l.Add(preflight.Backup(a.copies, m, time.Now()))
}

// migration is what the deploy does with the database, beside what ran last.
func (r *rollout) migration() preflight.Migration {
	m := preflight.Migration{Command: r.args.Config.Backend.Migrate, Pinned: r.args.Pinned}
	if len(r.found) > 0 {
		m.Before, m.Same = r.found[0].Name, r.found[0].Image == r.Image
	}
	return m
}

// aboutStack is what of the stack is there already, and of others beside it.
func (r *rollout) aboutStack(l *preflight.List, found engine.Obstacles) error {
	sites, err := r.checkSites()
	if err != nil {
		return err
	}
	theirs, faults := r.neighbours()
	told, volumes, err := r.checkVolumes()
	if err != nil {
		return err
	}
	l.Refuse("state", "what runs is what this state knows", "", r.checkState())
	l.Refuse("names", "nothing else has a name of the stack's", "", found.Names...)
	l.Refuse("data", "the volumes are this application's, and nobody else's", fmt.Sprintf("%d of them", len(r.args.Uses)), faults)
	l.Refuse("sites", "stacks that users come to by this one stay reachable", "", sites...)
	l.Refuse("volumes", "what users have stored stays where it is", "", volumes...)
	var said []string
	for _, d := range r.parts {
		said = append(said, d.Warnings...)
	}
	l.Warn("advice", "nothing of the stack's file is worth a warning", "", slices.Concat([]string{r.missing()}, said, theirs, told)...)
	return nil
}

// answers are those that take a while.
type answers struct {
	machine engine.Machine
	image   int64
	images  []preflight.Image
	copies  preflight.Copies
	guarded preflight.Guarded
}

// registryTime is how long all registries together may take to say what they have: nobody waits longer
// for a checklist.
const registryTime = 1500 * time.Millisecond

// ask asks all of them at once, and returns what waits for the answers.
func (r *rollout) ask(needs engine.Needs) (wait func() answers) {
	ctx := r.ctx.Context()
	var a answers
	var group sync.WaitGroup
	group.Go(func() {
		var rolling []string
		for _, l := range needs.Limits {
			if l.Beside > 0 {
				rolling = append(rolling, l.Workload)
			}
		}
		a.machine = r.args.Engine.Machine(ctx, r.args.Prefix, rolling)
	})
	group.Go(func() {
		if len(r.found) > 0 {
			a.image = r.args.Engine.SizeOf(ctx, r.found[0].AllImages())
		}
	})
	group.Go(func() { a.images = r.askImages(ctx) })
	group.Go(func() { a.copies = r.askCopies(ctx) })
	group.Go(func() {
		if r.args.Guarded != nil {
			a.guarded = r.args.Guarded(ctx, r.args.Prefix, r.args.Config)
		}
	})
	return func() answers { group.Wait(); return a }
}

// askImages asks for those that are ready: what is built is of the sources, and what that is of is asked for by
// whoever builds.
func (r *rollout) askImages(ctx context.Context) []preflight.Image {
	ctx, cancel := context.WithTimeout(ctx, registryTime)
	defer cancel()
	var names []string
	for _, d := range r.parts {
		for _, i := range d.Images {
			if i.Build == nil && i.Reference != "" && r.named[i.Reference] == "" && !slices.Contains(names, i.Reference) {
				names = append(names, i.Reference)
			}
		}
	}
	all := make([]preflight.Image, len(names))
	var group sync.WaitGroup
	for n, name := range names {
		group.Go(func() {
			all[n].Name = name
			all[n].Here, all[n].Refused, all[n].Err = r.args.Engine.Obtainable(ctx, name)
		})
	}
	group.Wait()
	return all
}

// The workload that knows of all backups, and what it is asked by.
const (
	replicator    = "backup-replicator"
	backupProgram = "/run/backup/backup"
)

// askCopies asks the stack's own backup, where it has one.
func (r *rollout) askCopies(ctx context.Context) preflight.Copies {
	cfg := r.args.Config
	switch {
	case !cfg.Backup.Enabled:
		return preflight.Copies{None: "backup.enabled is false: nobody here knows of one"}
	case len(r.found) == 0:
		return preflight.Copies{None: "the first deploy: there is nothing yet to lose"}
	}
	c := preflight.Copies{Server: cfg.RunsPostgres(), Since: r.found[0].Created}
	for _, one := range r.found {
		if one.Created.Before(c.Since) {
			c.Since = one.Created
		}
	}
	if c.Every, c.Err = cron.Longest(cfg.Backup.Files.Cron, cfg.Backup.TimeZone); c.Err != nil {
		return c
	}
	running, err := r.args.Engine.Runs(ctx, r.args.Prefix, replicator)
	if err == nil && running == 0 {
		err = errors.New("nothing that knows of the backups runs at the moment")
	}
	var said string
	if err == nil {
		said, err = r.args.Engine.Exec(ctx, r.args.Prefix, replicator, backupProgram, "status")
	}
	if err == nil {
		var status results.Status
		err = json.Unmarshal([]byte(said), &status)
		c.Status = status
	}
	c.Err = err
	return c
}

// neighbours refuses volumes that are somebody else's, and tells of what is in the way of a
// later update.
func (r *rollout) neighbours() (warnings []string, err error) {
	if len(r.args.Uses) == 0 {
		return nil, nil
	}
	warnings, faults, err := r.args.Engine.CheckUses(r.ctx.Context(), r.args.Uses)
	if err != nil {
		return nil, err
	}
	guests, err := r.args.Engine.Guests(r.ctx.Context(), r.args.Prefix)
	for _, g := range guests {
		if g.Expected(r.args.Prefix) {
			continue // checkSites knows of these
		}
		warnings = append(warnings, fmt.Sprintf("%s is on this stack's network %s, and not of this stack: the network can't be removed or changed before `%s`", g, g.Network, g.Mend()))
	}
	return warnings, errors.Join(append(faults, err)...)
}
