package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"tarot-platform/internal/config"
)

// Labels of a mark: an empty volume that tells what uses another one, and whose data are
// in there. It is no resource of Pulumi's, as it has to outlive the stack where the data
// do, and to say something else when the application is another one.
const (
	volumeLabel   = "tarot.volume"
	kindLabel     = "tarot.kind"
	projectLabel  = "tarot.project"
	whoseLabel    = "tarot.application.name"
	placeLabel    = "tarot.application.place"
	databaseLabel = "tarot.database"
)

// Kinds of uses, beside those of the configuration's other keys.
const (
	kindData = "data"
	// kindUploads is what users have uploaded.
	kindUploads = config.Uploads
	kindLeft    = "left" // data in a volume that the stack does not use any more
	// kindFurther begins those of volumes with a name and a path of the user's own.
	kindFurther = "backend.volumes."
)

// holdsData is true for what a stack that does not use it any more may want back.
func holdsData(kind string) bool {
	return cmp.Or(kind, kindData) == kindData || kind == kindUploads || kind == kindDatabase || kind == kindLeft || strings.HasPrefix(kind, kindFurther)
}

// key is the configuration's of the volume.
func (u Use) key() string {
	if u.Kind == kindDatabase {
		return "database.kind"
	}
	if strings.HasPrefix(u.Kind, kindFurther) {
		return u.Kind
	}
	return "volumes." + u.Kind
}

// dataFolder is where the application has its data.
const dataFolder = "/app/data"

// Use is what a stack has a volume for.
type Use struct {
	Volume string
	// Kind is data, static or logs, as in the configuration, database of a PostgreSQL's, or the key
	// of another volume.
	Kind string
	// Stack is the prefix, and Project the part of it that is the project's name.
	Stack, Project string
	// Application is the name that the application gives itself in deploy.yaml; empty:
	// none. Place is where it comes from: its folder, or the repository of its image.
	Application, Place string
	// Database is the file, or postgresql- and the version; empty: the database is in neither.
	Database string
}

// Uses are those that a configuration asks for.
func Uses(cfg config.Config, application config.Application, prefix, project string) []Use {
	place := "folder " + filepath.ToSlash(filepath.Clean(cfg.Backend.Context))
	if cfg.Backend.Image != "" {
		place = "image " + repository(cfg.Backend.Image)
	}
	var all []Use
	for kind, name := range map[string]string{kindData: cfg.Volumes.Data, kindUploads: cfg.Volumes.Uploads, "static": cfg.Volumes.Static, "logs": cfg.Volumes.Logs} {
		if name != "" {
			all = append(all, Use{name, kind, prefix, project, application.Name, place, cfg.DatabaseFile()})
		}
	}
	for _, v := range cfg.Backend.FurtherVolumes() {
		name := cmp.Or(v.Engine, config.VolumeName(prefix, v.Name))
		all = append(all, Use{name, kindFurther + v.Name, prefix, project, application.Name, place, ""})
	}
	if cfg.RunsPostgres() {
		all = append(all, databaseUse(cfg, Use{Stack: prefix, Project: project, Application: application.Name, Place: place}))
	}
	slices.SortFunc(all, func(a, b Use) int { return strings.Compare(a.Kind, b.Kind) })
	return all
}

// repository is an image's name without its tag and its digest.
func repository(reference string) string {
	reference = withoutDigest(reference)
	if at := strings.LastIndex(reference, ":"); at > strings.LastIndex(reference, "/") {
		return reference[:at]
	}
	return reference
}

func (u Use) mark() string { return u.Stack + "-uses-" + u.Volume }

func (u Use) labels() map[string]string {
	return map[string]string{StackLabel: u.Stack, volumeLabel: u.Volume, kindLabel: u.Kind, projectLabel: u.Project,
		whoseLabel: u.Application, placeLabel: u.Place, databaseLabel: u.Database}
}

// whose names an application in a sentence.
func (u Use) whose() string {
	if u.Application != "" {
		return fmt.Sprintf("the application %q (%s)", u.Application, u.Place)
	}
	return "the application of the " + u.Place
}

// CheckUses refuses volumes that belong to something else: those that another stack
// uses, and a database of another application. What can't be told for sure is returned
// as a warning. A volume that nothing is known of is anybody's.
func (e *Engine) CheckUses(ctx context.Context, wanted []Use) (warnings []string, faults []error, err error) {
	there, marks, err := e.marks(ctx)
	if err != nil {
		return nil, nil, err
	}
	used, live, err := e.others(ctx, marks, wanted[0].Stack)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range marks {
		if m.Stack == wanted[0].Stack && m.Project != wanted[0].Project && live[m.Stack] {
			return nil, []error{fmt.Errorf("a stack of the project %s has the same names as this one of the project %s, as both begin with %s: give this stack another name",
				m.Project, wanted[0].Project, m.Stack)}, nil
		}
	}
	if fault := checkDatabase(there, marks, wanted); fault != nil {
		faults = append(faults, fault)
	}
	for _, u := range wanted {
		if !there[u.Volume] {
			continue
		}
		for _, other := range used[u.Volume] {
			if why := clash(u, other); why != "" {
				faults = append(faults, fault(u.key(), u.Volume, "is used by the stack "+other.Stack+why, "a volume of this stack's own"))
			} else if sameFile(other.Database, u.Database) {
				faults = append(faults, fault(u.key(), u.Volume, fmt.Sprintf("is used by the stack %s, which has its database in the same file, %s: each would migrate and write it unaware of the other",
					other.Stack, other.Database), "another file in backend.databaseUrl, or a volume of this stack's own"))
			}
		}
		for _, m := range marks {
			if m.Volume != u.Volume || u.Kind != kindData && u.Kind != kindDatabase || m.Kind != u.Kind && m.Kind != kindLeft || !sameFile(m.Database, u.Database) {
				continue
			}
			text := fmt.Sprintf("holds %s of %s, and this stack has %s", m.Database, m.whose(), u.whose())
			mend := "docker volume rm " + m.mark()
			others, own := "another volume, or another file in backend.databaseUrl", fmt.Sprintf("a volume of its own (%s:volumes.data)", config.Namespace)
			if u.Kind == kindDatabase { // its name follows from the stack's
				others, own = "another name for the stack", "a stack of its own"
			}
			switch compare(m, u) {
			case another:
				faults = append(faults, fault(u.key(), u.Volume, text, others+"; or, if the data are this application's all the same: "+mend+", and again"))
			case moved:
				warnings = append(warnings, fmt.Sprintf("volume %s %s: that is taken for the same application at another place. If it is another one, give it %s; "+
					"a name in %s would tell them apart", u.Volume, text, own, config.ApplicationFile))
			}
		}
	}
	return warnings, faults, nil
}

// sameFile is true for two databases in one volume that are one file, whatever the working
// folders are called that they are seen from; empty: there is none.
func sameFile(a, b string) bool {
	below := func(file string) string {
		if _, inside, ok := strings.Cut(file, "/data/"); ok {
			return inside
		}
		return file
	}
	return a != "" && b != "" && (a == b || below(a) == below(b))
}

// clash says why two stacks can't share a volume; empty: they can. Those of one project
// may share the folder of their databases.
func clash(u, other Use) string {
	switch {
	case u.Kind != kindData || other.Kind != kindData:
		return ", whose files this one would remove or mix with its own"
	// What has no mark tells its project by its names alone.
	case other.Project != u.Project && !(other.Project == "" && strings.HasPrefix(other.Stack, u.Project+"-")):
		return ", which is another project's"
	}
	return ""
}

type kinship int

const (
	same kinship = iota
	moved
	another
)

// compare tells whether the application that made the data is the one that is to get
// them. The name that it gives itself decides. One without a name is known by its place
// alone, and a place may change: that is told, and holds nothing up. One that had a name
// and has none any more is another one, but for a ready image, which can't say its name.
func compare(had, has Use) kinship {
	switch {
	case has.Place == "": // a release that has run here
		return same
	case had.Application != "" && has.Application != "":
		if had.Application != has.Application {
			return another
		}
		return same
	case had.Application != "" && !strings.HasPrefix(has.Place, "image "):
		return another
	case had.Place == has.Place:
		return same
	case had.Place == "":
		return same
	}
	return moved
}

// marks are all marks, and which volumes there are.
func (e *Engine) marks(ctx context.Context) (there map[string]bool, marks []Use, err error) {
	found, err := e.api.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("docker engine at %s: list volumes: %w", e.Address, err)
	}
	there = map[string]bool{}
	for _, v := range found.Volumes {
		there[v.Name] = true
		if l := v.Labels; l[volumeLabel] != "" {
			marks = append(marks, Use{l[volumeLabel], l[kindLabel], l[StackLabel], l[projectLabel], l[whoseLabel], l[placeLabel], l[databaseLabel]})
		}
	}
	slices.SortFunc(marks, func(a, b Use) int { return strings.Compare(a.mark(), b.mark()) })
	return there, marks, nil
}

// others are what other stacks use, by the volume: what their containers and services
// mount, and what their marks say while anything of them is on the engine.
//
// live are the stacks of which anything is there.
func (e *Engine) others(ctx context.Context, marks []Use, mine string) (used map[string][]Use, live map[string]bool, err error) {
	live = map[string]bool{}
	found := map[string]map[string]Use{}
	see := func(labels map[string]string, name, target string) {
		stack := labels[StackLabel]
		if live[stack] = true; name == "" {
			return
		}
		kind := "files"
		if w := labels[WorkloadLabel]; target == dataFolder && (w == "migrate" || strings.HasPrefix(w, "backend")) {
			kind = kindData
		}
		if found[name] == nil {
			found[name] = map[string]Use{}
		}
		if had, ok := found[name][stack]; !ok || had.Kind != kindData {
			found[name][stack] = Use{Volume: name, Kind: kind, Stack: stack}
		}
	}
	containers, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, nil, fmt.Errorf("docker engine at %s: list containers: %w", e.Address, err)
	}
	for _, c := range containers {
		see(c.Labels, "", "")
		for _, m := range c.Mounts {
			see(c.Labels, m.Name, m.Destination)
		}
	}
	networks, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("docker engine at %s: list networks: %w", e.Address, err)
	}
	for _, n := range networks {
		see(n.Labels, "", "")
	}
	services, err := e.services(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range services {
		see(s.Spec.Labels, "", "")
		if spec := s.Spec.TaskTemplate.ContainerSpec; spec != nil {
			for _, m := range spec.Mounts {
				if m.Type == "volume" {
					see(spec.Labels, m.Source, m.Target)
				}
			}
		}
	}
	for _, m := range marks {
		if live[m.Stack] && m.Kind != kindLeft {
			if found[m.Volume] == nil {
				found[m.Volume] = map[string]Use{}
			}
			found[m.Volume][m.Stack] = m
		}
	}
	used = map[string][]Use{}
	for name, users := range found {
		for _, stack := range slices.Sorted(maps.Keys(users)) {
			if stack != "" && stack != mine {
				used[name] = append(used[name], users[stack])
			}
		}
	}
	return used, live, nil
}

// MarkUses writes down what a stack uses. A claim is made where a volume has no mark of
// this stack yet; otherwise all marks become what they have to be, and those of volumes
// that are gone or that hold no data of the stack's go.
func (e *Engine) MarkUses(ctx context.Context, uses []Use, claim bool) error {
	there, marks, err := e.marks(ctx)
	if err != nil {
		return err
	}
	had := map[string]Use{}
	for _, m := range marks {
		if m.Stack == uses[0].Stack {
			had[m.Volume] = m
		}
	}
	for _, u := range uses {
		m, marked := had[u.Volume]
		delete(had, u.Volume)
		if marked && (claim || m == u) {
			continue
		}
		if err := e.mark(ctx, u, marked); err != nil {
			return err
		}
	}
	if claim {
		return nil
	}
	for _, m := range had {
		var err error
		switch {
		case !there[m.Volume] || !holdsData(m.Kind):
			err = e.api.VolumeRemove(ctx, m.mark(), false)
		case m.Kind != kindLeft && m.Kind != "":
			m.Kind = kindLeft
			err = e.mark(ctx, m, true)
		}
		if err := ignoreGone(err); err != nil {
			return fmt.Errorf("volume %s: %w", m.mark(), err)
		}
	}
	return nil
}

// mark makes one, or makes it anew: a volume's labels can't be changed.
func (e *Engine) mark(ctx context.Context, u Use, anew bool) error {
	if anew {
		if err := ignoreGone(e.api.VolumeRemove(ctx, u.mark(), false)); err != nil {
			return fmt.Errorf("volume %s: %w", u.mark(), err)
		}
	}
	if _, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: u.mark(), Labels: u.labels()}); err != nil {
		return fmt.Errorf("volume %s: %w", u.mark(), err)
	}
	return nil
}
