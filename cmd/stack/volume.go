package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/components"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
)

func volumeCopyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "volume-copy STACK FROM TO",
		Short: "copy a volume while nothing writes to it, and bring the stack up as its file says",
		Long: "What writes to FROM is stopped; the copy is compared with it, by content, owner and mode; and `pulumi up` starts all of it\n" +
			"again: on TO where the stack's file names that, as after a change of tarot:volumes.data, and otherwise on FROM. Users get the\n" +
			"page for maintenance meanwhile. TO is made where it is not there, and has to be empty. FROM stays as it is.\n" +
			"Where the copy fails, what was stopped is started again.",
		Args: cobra.ExactArgs(3),
		RunE: onStack(func(ctx context.Context, d deployed, args []string) error {
			cfg, err := d.configuration(ctx)
			if err != nil {
				return err
			}
			c := volumeCopy{stack: d.name, prefix: d.prefix, from: args[0], to: args[1], volumes: cfg.Volumes}
			return d.operate(ctx, engine.VolumeCopy, c.from+" to "+c.to, func(ctx context.Context, run string) error {
				if err := c.run(ctx, d.docker, note); err != nil {
					return err
				}
				if err := d.up(ctx, components.RunVariable+"="+run); err != nil {
					return fmt.Errorf("%w: what writes to %s is stopped until one succeeds", err, c.from)
				}
				if !cfg.Backup.Enabled {
					return nil
				}
				return adoptCopy(ctx, d.docker, d.prefix, note)
			})
		}),
	}
}

// configuration is the stack's, without its secrets.
func (d deployed) configuration(ctx context.Context) (config.Config, error) {
	var all map[string]setting
	if err := pulumi(ctx, &all, "config", "--stack", d.name); err != nil {
		return config.Config{}, err
	}
	cfg, err := decode(all)
	if err != nil {
		return cfg, err
	}
	err = d.keepMaintenance(ctx, &cfg)
	return cfg, err
}

// volumes is what is asked of the engine.
type volumes interface {
	Volume(ctx context.Context, name string) (engine.Volume, bool, error)
	CreateVolume(ctx context.Context, name, driver string, options map[string]string) error
	RemoveVolume(ctx context.Context, name string) error
	CopyVolume(ctx context.Context, prefix, image, from, to string) (engine.Copied, error)
	writers
	Releases(ctx context.Context, prefix string) ([]release.Release, error)
	HasImage(ctx context.Context, reference string) (bool, error)
	folders
}

// writers are stopped while a volume is copied.
type writers interface {
	Writers(ctx context.Context, volume string) ([]engine.Writer, error)
	Halt(ctx context.Context, all []engine.Writer) error
	Resume(ctx context.Context, all []engine.Writer) error
}

// volumeCopy is one.
type volumeCopy struct {
	stack, prefix, from, to string
	volumes                 config.Volumes
}

// run copies the volume. What writes to it is stopped then, and stays so: what was written from
// now on would be in one of both alone.
func (c volumeCopy) run(ctx context.Context, docker volumes, tell func(string, ...any)) (err error) {
	made, err := c.check(ctx, docker)
	if err != nil {
		return err
	}
	image, err := c.image(ctx, docker)
	if err != nil {
		return err
	}
	halted, err := c.writers(ctx, docker)
	if err != nil {
		return err
	}
	if made {
		if err := makeVolume(ctx, docker, c.prefix, image, c.volumes, c.to, c.to); err != nil {
			return err
		}
	}
	defer func() {
		if err == nil {
			return
		}
		after := context.WithoutCancel(ctx)
		if made {
			err = errors.Join(err, docker.RemoveVolume(after, c.to))
			if c.volumes.Mount != "" { // the folder stays
				err = errors.Join(err, docker.EmptyFolder(after, c.prefix, image, c.volumes.Mount, c.to))
			}
		}
		if len(halted) > 0 {
			tell("it is not copied: what was stopped is started again")
		}
		err = errors.Join(err, docker.Resume(after, halted))
	}()
	if len(halted) > 0 {
		tell("stopping what writes to %s: %s", c.from, named(halted))
		if err := docker.Halt(ctx, halted); err != nil {
			return err
		}
		left, err := docker.Writers(ctx, c.from)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("%s writes to the volume %s all the same", named(left), c.from)
		}
	}
	tell("copying %s to %s", c.from, c.to)
	begun := time.Now()
	done, err := docker.CopyVolume(ctx, c.prefix, image, c.from, c.to)
	if err != nil {
		return err
	}
	tell("copied and compared %d files, %.1f MB, in %s; %s stays as it is", done.Files, float64(done.Bytes)/1e6, time.Since(begun).Round(time.Second), c.from)
	return nil
}

// check refuses what can't be copied; made is true where the new volume has to be made.
func (c volumeCopy) check(ctx context.Context, docker volumes) (made bool, err error) {
	if c.from == c.to {
		return false, fmt.Errorf("FROM and TO are both %s", c.from)
	}
	_, there, err := docker.Volume(ctx, c.from)
	if err != nil {
		return false, err
	}
	if !there {
		return false, fmt.Errorf("FROM is %q, and the engine has no such volume; allowed: one of `docker volume ls`", c.from)
	}
	_, there, err = docker.Volume(ctx, c.to)
	if err != nil || !there {
		return true, err
	}
	users, err := docker.Writers(ctx, c.to)
	if err == nil && len(users) > 0 {
		err = fmt.Errorf("TO is %q, which %s writes to; allowed: a new volume, or one that nothing uses", c.to, named(users))
	}
	return false, err
}

// writers are what has to be stopped: all of it is this stack's, and none a job, which would be
// stopped in the midst of what it does.
func (c volumeCopy) writers(ctx context.Context, docker volumes) ([]engine.Writer, error) {
	all, err := docker.Writers(ctx, c.from)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(slices.Clone(all), func(w engine.Writer) bool { return w.Stack == c.prefix })
	if len(others) > 0 {
		return nil, fmt.Errorf("%s writes to the volume %s, and is not of this stack: stop it first", named(others), c.from)
	}
	jobs := slices.DeleteFunc(slices.Clone(all), func(w engine.Writer) bool { return !w.Job })
	if len(jobs) > 0 {
		return nil, fmt.Errorf("%s is at work on the volume %s: wait for its end", named(jobs), c.from)
	}
	return all, nil
}

// image is one that the engine has: a container is made of it, and never started.
func (c volumeCopy) image(ctx context.Context, docker volumes) (string, error) {
	all, err := docker.Releases(ctx, c.prefix)
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if there, err := docker.HasImage(ctx, r.Image); err != nil || there {
			return r.Image, err
		}
	}
	return "", fmt.Errorf("the stack %s has run no release whose image is on this engine", c.stack)
}

func named(all []engine.Writer) string {
	var names []string
	for _, w := range all {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}

// backups is what is asked of the engine about the stack's own.
type backups interface {
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
}

// replication is what the replicator says of itself.
func replication(ctx context.Context, docker backups, prefix string) (found results.Status, err error) {
	text, err := docker.Exec(ctx, prefix, replicator, helperProgram, "status")
	if err == nil {
		err = json.Unmarshal([]byte(text), &found)
	}
	return found, err
}

// adoptTime is how long a replicator that has just started may take to know its target.
var adoptTime = 2 * time.Minute

// adoptCopy has the copy of a database begin the next history on the target, beside the one of the
// volume that it was copied from: what keeps the two apart is not copied.
func adoptCopy(ctx context.Context, docker backups, prefix string, tell func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	for {
		found, err := replication(ctx, docker, prefix)
		switch {
		case err != nil:
		case found.State == results.Replicating || found.State == results.NoDatabase:
			return nil
		case found.State == results.Foreign:
			if _, err = docker.Exec(ctx, prefix, replicator, helperProgram, "adopt"); err == nil {
				tell("the copy begins a history of its own on the target of the backups; the one before stays there")
				return nil
			}
		default:
			err = fmt.Errorf("it is %s: %s", found.State, found.Why)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the volume is copied and the stack is up, but its database is not backed up yet: %w. make status shows it; make backup-adopt begins its history", err)
		case <-time.After(min(time.Second, adoptTime/10)):
		}
	}
}
