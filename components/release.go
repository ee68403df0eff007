package components

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/backend"
	"tarot-platform/components/part"
	"tarot-platform/components/runtime"
	"tarot-platform/components/services"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/compile"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
)

// young images stay, whatever becomes of their release: somebody may have built or
// tagged one for what is not recorded yet, with a program that claims nothing.
const young = time.Hour

// deploying is the release that this `up` makes.
type deploying struct {
	part.Release
	// record is what is to be recorded of it, and found are the records that there are, the
	// latest first.
	record release.Release
	found  []release.Release
	// named are the ready images that are to get a name more, by that.
	named map[string]string
}

// identify finds out which release is to be deployed: the pinned one as it was recorded, or
// a new one of what the stack file says.
func (r *rollout) identify() (deploying, error) {
	d := deploying{named: map[string]string{}}
	var err error
	if d.found, err = r.args.Engine.Releases(r.ctx.Context(), r.args.Prefix); err != nil {
		return d, err
	}
	d.Pinned = r.args.Pinned
	if err := r.findImages(&d); err != nil {
		return d, err
	}
	d.record = r.args.Release
	if !d.Pinned {
		d.record = release.New(d.Image, d.Images, r.args.Source, r.args.Config.ApplicationSecrets(), config.Namespace)
	} else if r.args.Config.Volumes.Data == "" {
		d.Migrated = false // there is no file that could tell
	} else if d.Migrated, err = r.args.Engine.Mounted(r.ctx.Context(), r.args.Prefix, "backend", r.args.Config.Volumes.Data); err != nil {
		return d, err
	}
	d.Name = d.record.Name
	d.Earlier = returnable(d.found, d.Name, d.Image, r.args.Config.Releases.Keep)
	return d, nil
}

// repository is the name of the images that are built for the backend or a service, without
// a tag.
func (r *rollout) repository(of string) string { return r.ctx.Project() + "-" + of }

// findImages finds the exact names of the release's images.
func (r *rollout) findImages(d *deploying) error {
	cfg := r.args.Config
	var err error
	build := backend.Build(cfg, r.args.Engine.Platform())
	if d.Image, err = r.fix(d, config.BackendName, cfg.Backend.Image, build, cfg.Backend.User, "backend.user"); err != nil {
		return err
	}
	for name, s := range cfg.Services {
		if s.OfBackend() {
			continue
		}
		if d.Images == nil {
			d.Images = map[string]string{}
		}
		user := cmp.Or(s.User, cfg.Backend.User)
		if d.Images[name], err = r.fix(d, name, s.Image, services.Build(cfg, name, r.args.Engine.Platform()), user, "services."+name+".user"); err != nil {
			return err
		}
	}
	return nil
}

// fix is the exact name of an image. One that is built (ready is empty) has the hash of its
// sources in it; a ready one gets the name that means what its tag means now, so that a tag
// that moves is a change, and a release that can be returned to. A pinned release has its own.
func (r *rollout) fix(d *deploying, of, ready string, build buildcontext.Build, user, key string) (string, error) {
	if ready == "" {
		hash, err := build.Hash()
		if err != nil {
			return "", fmt.Errorf("image %q: %w", of+"-image", err)
		}
		return r.repository(of) + ":" + hash, r.warnUnreadable(build, user, key)
	}
	if r.args.Pinned {
		return ready, nil
	}
	ready, err := r.exact(ready)
	if err != nil {
		return "", err
	}
	fixed, err := r.args.Engine.Fix(r.ctx.Context(), ready, r.repository(of))
	if err == nil && fixed.Warning != "" {
		err = r.ctx.Log.Warn(fixed.Warning, nil)
	}
	if fixed.Tag {
		d.named[fixed.Name] = ready
	}
	return fixed.Name, err
}

// What the images of the platform's own programs are called, behind the project's name.
const (
	schedulerName = "scheduler"
	helperName    = "backup"
	archivingName = "postgres"
	acmeName      = "acme"
	poolingName   = "pooler"
)

// scheduler is the image of the scheduler, where something is scheduled.
func (r *rollout) scheduler() (part.Built, error) {
	if len(r.args.Config.Scheduled()) == 0 {
		return part.Built{}, nil
	}
	return r.tool(schedulerName, r.args.Scheduler, compile.Scheduler, "schedules")
}

// helper is the image of what backs up, where that is wanted.
func (r *rollout) helper() (part.Built, error) {
	if !r.args.Config.Backup.Enabled {
		return part.Built{}, nil
	}
	return r.tool(helperName, r.args.Helper, compile.Backup, "backup.enabled")
}

// archiving is the image of the stack's PostgreSQL with what archives it, where that is wanted.
func (r *rollout) archiving() (part.Built, error) {
	cfg := r.args.Config
	if !cfg.Archives() {
		return part.Built{}, nil
	}
	return r.archivingOf(cfg.Database.ServerImage())
}

// archivingNext is the same of the version that comes next.
func (r *rollout) archivingNext() (part.Built, error) {
	next := r.args.Config.Database.NextVersion()
	if next == 0 || !r.args.Config.Archives() {
		return part.Built{}, nil
	}
	return r.archivingOf(config.DatabaseVersions[next])
}

func (r *rollout) archivingOf(image string) (part.Built, error) {
	image, err := r.exact(image)
	if err != nil {
		return part.Built{}, err
	}
	return r.tool(archivingName, r.args.Archiving, func(_ context.Context, platform string) (buildcontext.Build, error) {
		return compile.Postgres(platform, image, r.args.Config.Build.AptMirror)
	}, "backup.enabled")
}

// acme is the image of what gets the certificate, where that is wanted.
func (r *rollout) acme() (part.Built, error) {
	if !r.args.Config.ACME() {
		return part.Built{}, nil
	}
	return r.tool(acmeName, r.args.ACME, compile.ACME, "nginx.tls.mode")
}

// pooling is the image of the pooler before the stack's PostgreSQL, where there is one.
func (r *rollout) pooling() (part.Built, error) {
	cfg := r.args.Config
	if !cfg.Pools() {
		return part.Built{}, nil
	}
	image, err := r.exact(cfg.Database.ServerImage())
	if err != nil {
		return part.Built{}, err
	}
	return r.tool(poolingName, r.args.Pooling, func(_ context.Context, platform string) (buildcontext.Build, error) {
		return compile.Pooler(platform, image, cfg.Build.AptMirror)
	}, "database.pooler.enabled")
}

// tool is an image of the platform's own, which a key of the configuration asks for. It is none
// of the release's: a pinned one has that of today.
func (r *rollout) tool(name string, compiler, usual Compiler, key string) (part.Built, error) {
	if compiler == nil {
		compiler = usual
	}
	build, err := compiler(r.ctx.Context(), r.args.Engine.Platform())
	if err != nil {
		return part.Built{}, fmt.Errorf("%s:%s: %w", config.Namespace, key, err)
	}
	hash, err := build.Hash()
	return part.Built{Reference: r.repository(name) + ":" + hash, Build: build}, err
}

// writeBuildSecrets has builds find the secrets that they may mount, until all is done.
func (r *rollout) writeBuildSecrets() (remove func(), err error) {
	if r.ctx.DryRun() {
		return func() {}, nil
	}
	values := map[string]string{}
	for _, name := range r.args.Config.Build.Secrets {
		values[name] = r.args.Config.Secrets[name]
	}
	gone, err := r.runtime.WriteBuildSecrets(values)
	return func() {
		if err := gone(); err != nil {
			_ = r.ctx.Log.Warn(fmt.Sprintf("the secrets of builds are still there: %v", err), nil)
		}
	}, err
}

// tools are the images that are the platform's own.
func (r *rollout) tools() []string {
	var all []string
	for _, built := range []part.Built{r.context.Scheduler, r.context.Helper, r.context.Archiving, r.context.ArchivingNext, r.context.Pooling, r.context.ACMEImage} {
		if built.Reference != "" {
			all = append(all, built.Reference)
		}
	}
	return all
}

// unreadableShown is how many files a warning names.
const unreadableShown = 3

// warnUnreadable tells which files of a program its user, who is set by the key, will not be
// able to read: an image is built by root, which reads everything, and code that is mounted
// keeps its permissions.
func (r *rollout) warnUnreadable(build buildcontext.Build, user, key string) error {
	files, err := build.Unreadable()
	if err != nil || len(files) == 0 {
		return err
	}
	shown := strings.Join(files[:min(len(files), unreadableShown)], ", ")
	if more := len(files) - unreadableShown; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return r.ctx.Log.Warn(fmt.Sprintf("the application runs as the user %s (%s:%s), which may not read %s in %s: "+
		"`chmod -R go+rX %s` mends that. A checkout with the umask 077 is such a case. (Where the Dockerfile gives these files to that user, all is well.)",
		user, config.Namespace, key, shown, build.Context, build.Context), nil)
}

// claimImages has nobody remove the images until they are unclaimed, for which their release
// has to be recorded. Then ready ones get their names.
func (r *rollout) claimImages() (unclaim func(), err error) {
	if r.ctx.DryRun() {
		return func() {}, nil
	}
	images := append(release.Release{Image: r.Image, Images: r.Images}.AllImages(), r.tools()...)
	free, err := r.args.Engine.Claim(r.ctx.Context(), r.args.Prefix, images...)
	if err != nil {
		return nil, err
	}
	unclaim = func() {
		if err := free(); err != nil { // it spares these images until the next `up`
			_ = r.ctx.Log.Warn(err.Error(), nil)
		}
	}
	for name, image := range r.named {
		if err := r.args.Engine.TagImage(r.ctx.Context(), image, name); err != nil {
			unclaim()
			return nil, err
		}
	}
	return unclaim, nil
}

// returnable are the images of those of the releases that can be returned to, but for the
// one that is deployed.
func returnable(found []release.Release, name, image string, keep int) []string {
	var images []string
	for _, r := range found {
		if r.Name != name && len(images) < keep {
			images = append(images, r.Image)
		}
	}
	slices.Sort(images)
	return slices.DeleteFunc(slices.Compact(images), func(other string) bool { return other == image })
}

// nextRecord gives a release its record: the one that it has while it is the latest and
// nothing else is to be said of it, and otherwise the next. What ran as wanted before it
// is where the way back leads; but not back to what a rollback has just left.
func nextRecord(r release.Release, found []release.Release, prefix string, pinned bool) release.Release {
	r.Stack, r.Sequence, r.Before, r.PinnedBy, r.Labels = prefix, 1, "", "", nil
	if pinned {
		r.PinnedBy = engine.Who()
	}
	index := slices.IndexFunc(found, func(other release.Release) bool { return other.Name == r.Name })
	if len(found) > 0 {
		latest := found[0]
		if index == 0 && (latest.PinnedBy != "") == pinned && latest.Unfinished == r.Unfinished {
			return latest
		}
		r.Sequence, r.Before = latest.Sequence+1, latest.Name
		if latest.Unfinished {
			r.Before = latest.Before
		}
		if index == 0 || index > 0 && pinned || r.Before == r.Name {
			r.Before = found[index].Before
		}
	}
	r.Record = engine.RecordName(prefix, r.Name, r.Sequence)
	return r
}

// record declares the record of the release, which users have. Unfinished is one whose `up`
// is about to fail all the same.
func (r *rollout) record(unfinished bool) error {
	next := r.deploying.record
	application, err := json.Marshal(r.args.Application)
	if err != nil {
		return err
	}
	next.Unfinished, next.Application, next.ImageID = unfinished, string(application), ""
	next = nextRecord(next, r.found, r.args.Prefix, r.args.Pinned)
	labels := map[string]pulumi.StringInput{}
	written := next.Labels // a volume's never change
	if written == nil {
		if written, err = engine.RecordLabels(next); err != nil {
			return fmt.Errorf("release %s: %w", next.Name, err)
		}
		labels[engine.ImageIDLabel] = r.made.images.get("backend").ID
	}
	for name, value := range written {
		labels[name] = pulumi.String(value)
	}
	if r.args.Pinned {
		_ = r.ctx.Log.Warn(fmt.Sprintf("%s:releases.pin is %s: the stack runs this release, whatever else the stack file says", config.Namespace, next.Name), nil)
	}
	if err := r.runtime.Record(r.ctx, runtime.Record{Name: next.Record, Labels: labels}, r.made.platform); err != nil {
		return fmt.Errorf("release %s: %w", next.Name, err)
	}
	r.recorded = next.Name
	return nil
}

// pruneReleases has what is too old removed. It comes last: the release that has just been
// deployed has its record then, which is what keeps its image.
func (r *rollout) pruneReleases() {
	removed, err := r.args.Engine.PruneReleases(r.ctx.Context(), engine.Prune{
		Prefix: r.args.Prefix, Current: r.Name, Repository: r.repository(config.BackendName), Project: r.ctx.Project(),
		Tools: []string{r.repository(schedulerName), r.repository(helperName), r.repository(archivingName), r.repository(poolingName)}, InUse: r.tools(), Keep: r.args.Config.Releases.Keep, Young: young})
	if len(removed) > 0 {
		_ = r.ctx.Log.Info("removed: "+strings.Join(removed, ", "), nil)
	}
	if err != nil { // what is too much on a disk is no failed deploy
		_ = r.ctx.Log.Warn(err.Error(), nil)
	}
}
