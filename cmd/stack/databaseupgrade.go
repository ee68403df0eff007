package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components"
	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/postgres"
	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/database"
	"tarot-platform/internal/engine"
)

func databaseUpgradeCommand() *cobra.Command {
	var o upgradeOptions
	upgrade := &cobra.Command{
		Use:   "upgrade STACK",
		Short: fmt.Sprintf("bring the stack's own PostgreSQL to version %d", config.NewestDatabase()),
		Long: "A copy for the nightly backup is made; all is copied into a database of the new version and compared, first as a rehearsal,\n" +
			"while users are served, and then behind the maintenance page. The platform goes back by itself where something is wrong\n" +
			"before users have the new version. What was replaced is kept, until --forget. Where it is interrupted, whenever that is,\n" +
			"--continue finishes it and --back takes it back.",
		Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return readable(d.recorded(ctx, "database-upgrade", ended(o.image, o.goOn, o.goBack, o.forget), func() error { return d.upgrade(ctx, o) }))
		}),
	}
	f := upgrade.Flags()
	f.StringVar(&o.image, "image", "", "the image of the new version, where tarot:database.image names one of your own")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	interrupted(upgrade, "upgrade", &o.goOn, &o.goBack)
	f.BoolVar(&o.forget, "forget", false, "remove what upgrades have replaced")
	return upgrade
}

// upgradeOptions are what the flags say.
type upgradeOptions struct {
	image                     string
	yes, goOn, goBack, forget bool
}

func (o upgradeOptions) check() error { return oneOf(o.goOn, o.goBack, o.forget) }

// oneOf refuses more than one of what a command at a database can do beside beginning.
func oneOf(goOn, goBack, forget bool) error {
	if goOn && goBack || forget && (goOn || goBack) {
		return errors.New("one of --continue, --back and --forget at a time")
	}
	return nil
}

func (d deployed) upgrade(ctx context.Context, o upgradeOptions) error {
	out := console.Stderr()
	held, open, err := d.operating(ctx)
	if err != nil {
		return err
	}
	if open && !o.goOn && !o.goBack {
		return held.Unfinished(d.name)
	}
	cfg, err := d.settings(ctx)
	if err != nil {
		return err
	}
	if err := checkUpgrade(cfg, o, open); err != nil {
		return err
	}
	u, err := d.upgradable(cfg, o, out)
	if err != nil {
		return err
	}
	// Where one goes on, there may be none any more, and what it was is noted.
	if u.Before, err = d.docker.ImageOf(ctx, d.prefix, postgres.Name); err != nil && !o.goOn && !o.goBack {
		return err
	}
	switch {
	case o.goOn:
		err = u.Continue(ctx)
	case o.goBack:
		if err = u.Back(ctx); err == nil {
			out.OK("all is as it was before")
		}
		return err
	case o.forget:
		return d.forget(ctx, u, o, out)
	default:
		if !o.yes {
			err = askable() // now, and not when the rehearsal has ended
		}
		if err == nil {
			err = d.lookedAt(ctx, cfg, u, out)
		}
		if err == nil {
			err = u.Begin(ctx)
		}
	}
	if err != nil {
		return err
	}
	out.OK("the database is in PostgreSQL %d. What was replaced stays in the volume %s: make database-upgrade STACK=%s FORGET=yes removes it", u.To, u.Stack.Volume, d.name)
	if cfg.Backup.Enabled {
		out.Note("its first copy of the whole for the archive is made in the night; now: make run STACK=%s SCHEDULE=%s", d.name, config.PostgresArchiveSchedule)
	}
	return nil
}

// checkUpgrade says why a server can not be upgraded.
func checkUpgrade(cfg config.Config, o upgradeOptions, open bool) error {
	switch {
	case cfg.Database.Kind != config.Postgres:
		return fmt.Errorf("%s:database.kind is %s; allowed, for an upgrade: %s", config.Namespace, cfg.Database.Kind, config.Postgres)
	case open || o.goOn || o.goBack || o.forget:
		return nil
	case cfg.Releases.Pin != "":
		return fmt.Errorf("%s:releases.pin is %s, and a release of before is not upgraded: make forward first", config.Namespace, cfg.Releases.Pin)
	case cfg.Database.Image != "" && o.image == "":
		return fmt.Errorf("%s:database.image is %s, an image of your own; allowed, for an upgrade: IMAGE=…, the same of PostgreSQL %d", config.Namespace, cfg.Database.Image, config.NewestDatabase())
	}
	next := cfg
	next.Database.Version, next.Database.Image, next.Database.Next = config.NewestDatabase(), o.image, ""
	return next.Validate()
}

// lookedAt shows what is to be upgraded, and refuses what can not end well, before anything is touched.
func (d deployed) lookedAt(ctx context.Context, cfg config.Config, u *database.Upgrade, out console.Console) error {
	found, err := u.Look(ctx)
	if err != nil {
		return err
	}
	if err := found.Check(d.name, u.To, u.Image, u.Stack.Volume); err != nil {
		return err
	}
	if found.Version != cfg.Database.Version {
		return fmt.Errorf("%s:database.version is %d, and the database is in PostgreSQL %d; allowed: %[3]d. The upgrade sets the other one itself", config.Namespace, cfg.Database.Version, found.Version)
	}
	out.Note("PostgreSQL %d, to %d; %.1f MB; %d MB of the disk are free", found.Version, u.To, float64(found.Bytes)/1e6, found.Free>>20)
	for _, name := range found.Slots {
		out.Note("the replication slot %s is not taken along", name)
	}
	for _, set := range found.System {
		out.Note("what ALTER SYSTEM has set is not taken along: %s; tarot:database.settings", set)
	}
	out.Note("users are served while the copy is rehearsed; then they see the maintenance page")
	return nil
}

// forget removes what upgrades have replaced.
func (d deployed) forget(ctx context.Context, u *database.Upgrade, o upgradeOptions, out console.Console) error {
	kept, err := u.Kept(ctx)
	if err != nil {
		return err
	}
	if len(kept) == 0 {
		out.OK("nothing of an earlier version is kept")
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		out.Note("%s in the volume %s: %.1f MB", name, u.Stack.Volume, float64(kept[name])/1e6)
	}
	if err := asked(o.yes, out, "Remove it for good?"); err != nil {
		return err
	}
	if err := u.Forget(ctx); err != nil {
		return err
	}
	out.OK("what upgrades have replaced is gone")
	return nil
}

// upgradable describes the stack whose server is upgraded.
func (d deployed) upgradable(cfg config.Config, o upgradeOptions, out console.Console) (*database.Upgrade, error) {
	app, err := cfg.ReadApplication()
	if err != nil {
		return nil, err
	}
	project, err := project()
	if err != nil {
		return nil, err
	}
	u, err := upgradeOf(cfg, app, d.name, d.prefix, project, o.image)
	if err != nil {
		return nil, err
	}
	u.Now, u.Engine = time.Now, d.docker
	u.Tell = func(text string) { out.Step("%s", text) }
	u.Stack.Set = d.setAll
	u.Stack.Up = func(ctx context.Context, run string) error { return d.up(ctx, components.RunVariable+"="+run) }
	u.Configure = d.versioned
	u.Ask = func(took time.Duration) error {
		return asked(o.yes, out, fmt.Sprintf("Upgrade the database of %s, and have users see the maintenance page for about %s and an `up`?", d.name, took.Round(time.Second)))
	}
	if cfg.Backup.Enabled {
		u.Save = func(ctx context.Context) error {
			return runSchedule(ctx, d.docker, d.prefix, config.PostgresDumpSchedule, os.Stderr, os.Stderr)
		}
	}
	if cfg.Archives() && u.Own == "" { // an image of the stack's own is built of it
		next := func(value string) func(ctx context.Context, run string) error {
			return func(ctx context.Context, run string) error {
				if err := d.set(ctx, config.Namespace+":database.next", value); err != nil {
					return err
				}
				return u.Stack.Up(ctx, run)
			}
		}
		u.Prepare, u.Unprepare = next(strconv.Itoa(u.To)), next("")
	}
	return u, nil
}

// upgradeOf is the same of a configuration.
func upgradeOf(cfg config.Config, app config.Application, name, prefix, project, image string) (*database.Upgrade, error) {
	of := func(version int) config.Config {
		other := cfg
		other.Database.Version, other.Database.Image, other.Database.Next = version, "", ""
		if version == config.NewestDatabase() {
			other.Database.Image = image
		}
		return other
	}
	to := of(config.NewestDatabase())
	described, err := part.Collect(parts.All, contextOf(to, prefix))
	if err != nil {
		return nil, err
	}
	u := &database.Upgrade{To: to.Database.Version, Image: to.Database.ServerImage(), Own: image, Was: cfg.Database.Image, Settings: postgres.Settings(to.Database),
		Memory: int64(max(to.Database.Memory, 256<<20)), Server: postgres.Name, Socket: prefix + "-" + postgres.Socket,
		On: func(version int) []engine.Use { return engine.Uses(of(version), app, prefix, project) }}
	u.Stack = database.Stack{Name: name, Prefix: prefix, Volume: config.PostgresVolume(prefix), Server: serverTool(cfg, prefix),
		Clients: clientsOf(described, connected), Order: func(workload string) int { return order(cfg, workload) }}
	u.Stack.Nginx, u.Stack.Close, u.Stack.Open = pageOf(cfg)
	u.Stack.Shown = shownCommand()
	return u, nil
}

// pageOf are the workload with the maintenance page, and what shows it and takes it away.
func pageOf(cfg config.Config) (nginx string, show, end []string) {
	if !cfg.Nginx.Enabled {
		return "", nil, nil
	}
	if !cfg.Maintenance {
		end = []string{"rm", "-f", assets.ClosedFile}
	}
	return "nginx", []string{"touch", assets.ClosedFile}, end
}

// shownCommand says "open" once the page is gone.
func shownCommand() []string {
	return []string{"/bin/sh", "-c", "if [ -e " + assets.ClosedFile + " ]; then echo closed; else echo open; fi"}
}

// versioned writes a version of PostgreSQL and its image into the stack's file, and another account of the
// application: an `up` makes all anew then that has one, and so what was stopped for the upgrade.
func (d deployed) versioned(ctx context.Context, version int, image string) error {
	var all map[string]setting
	if err := pulumi(ctx, &all, "config", "--stack", d.name); err != nil {
		return err
	}
	cfg, err := decode(all)
	if err != nil {
		return err
	}
	const key = config.Namespace + ":"
	values := map[string]string{
		key + "database.version":                strconv.Itoa(version),
		key + "secretVersions.databasePassword": strconv.Itoa(cfg.SecretVersions.DatabasePassword + 1),
	}
	if cfg.Database.Next != "" {
		values[key+"database.next"] = ""
	}
	if cfg.Database.Image != image {
		values[key+"database.image"] = image
	}
	return d.setAll(ctx, values)
}

// contextOf is what the parts are told, where nothing is asked but what there is.
func contextOf(cfg config.Config, prefix string) part.Context {
	cfg.Nginx.TLS.Mode = "off" // a certificate that is given is no matter here
	c := part.Context{Config: cfg, Stack: prefix, Site: part.Site{URL: "https://localhost"}, Release: part.Release{Image: cfg.Backend.Image, Images: map[string]string{}}}
	for service, s := range cfg.Services {
		c.Release.Images[service] = s.Image
	}
	return c
}
