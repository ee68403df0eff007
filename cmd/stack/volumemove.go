package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"tarot-platform/components/part"
	"tarot-platform/internal/audit"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

func volumeMoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "volume-move STACK",
		Short: "bring the volumes of a stack that is destroyed to where volumes.mount wants them",
		Long: "Each volume with data is copied into its folder below volumes.mount, compared by content, owner and mode, and made anew by its\n" +
			"name as that folder. Before, `make destroy` has to have taken the stack's containers away; it keeps volumes. The same again goes\n" +
			"on where it was cut off. What was on the disk before is deleted, not overwritten.",
		Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error {
			cfg, err := d.configuration(ctx)
			if err != nil {
				return err
			}
			described, err := describeSecrets(cfg, d.prefix)
			if err != nil {
				return err
			}
			m := volumeMove{d.name, d.prefix, cfg.Volumes, described}
			return d.operate(ctx, engine.VolumeCopy, "to "+cfg.Volumes.Mount, func(ctx context.Context, _ string) error { return m.run(ctx, d.docker, note) })
		}),
	}
}

// folders is what is asked of the engine about folders of its machine.
type folders interface {
	LookAt(ctx context.Context, prefix, image, folder string) (engine.Mount, error)
	MakeFolders(ctx context.Context, prefix, image, below string, names []string) error
	EmptyFolder(ctx context.Context, prefix, image, below, name string) error
}

// makeVolume makes an empty volume of a name, where a configuration wants the one that is called as.
func makeVolume(ctx context.Context, docker volumes, prefix, image string, wants config.Volumes, name, as string) error {
	if wants.Mount != "" {
		if err := isMounted(ctx, docker, prefix, image, wants.Mount); err != nil {
			return err
		}
		if err := docker.MakeFolders(ctx, prefix, image, wants.Mount, []string{as}); err != nil {
			return err
		}
	}
	return docker.CreateVolume(ctx, name, wants.Driver, wants.OptionsOf(as))
}

func isMounted(ctx context.Context, docker folders, prefix, image, mount string) error {
	found, err := docker.LookAt(ctx, prefix, image, mount)
	if err == nil && !found.Mounted {
		err = fmt.Errorf("tarot:volumes.mount: nothing is mounted at %s on the engine's machine: mount it, and run the same again", mount)
	}
	return err
}

// volumeMove is one.
type volumeMove struct {
	stack, prefix string
	volumes       config.Volumes
	parts         []part.Described
}

// moving is where a volume is while it goes to another place.
func moving(name string) string { return name + "-moving" }

// mover is what is asked of the engine.
type mover interface {
	volumes
	Audited(ctx context.Context, prefix string) ([]audit.Subject, []string, error)
	FirstThere(ctx context.Context, images []string) (string, error)
}

func (m volumeMove) run(ctx context.Context, docker mover, tell func(string, ...any)) error {
	if m.volumes.Mount == "" {
		return errors.New("tarot:volumes.mount is empty; allowed: where volumes are to be brought: pulumi config set --path tarot:volumes.mount /srv/secure")
	}
	containers, elsewhere, err := docker.Audited(ctx, m.prefix)
	if err != nil {
		return err
	}
	if len(containers)+len(elsewhere) > 0 {
		return fmt.Errorf("the stack %s has containers: `make destroy STACK=%[1]s` first, which keeps volumes", m.stack)
	}
	image, err := docker.FirstThere(ctx, part.WithShell(m.parts))
	if err == nil && image == "" {
		err = errors.New("the engine has none of the stack's images: make setup")
	}
	if err == nil {
		err = isMounted(ctx, docker, m.prefix, image, m.volumes.Mount)
	}
	if err != nil {
		return err
	}
	for _, v := range part.Private(m.parts) {
		if err := m.move(ctx, docker, image, v, tell); err != nil {
			return fmt.Errorf("%w; nothing is lost, and the same again goes on", err)
		}
	}
	tell("the volumes of %s lie below %s: pulumi up -s %[1]s", m.stack, m.volumes.Mount)
	return nil
}

// move brings one volume to its folder: what is in the folder is a copy until the volume is gone, and all
// there is from then on.
func (m volumeMove) move(ctx context.Context, docker mover, image string, v part.Volume, tell func(string, ...any)) error {
	is, there, err := docker.Volume(ctx, v.Engine)
	if err != nil {
		return err
	}
	_, begun, err := docker.Volume(ctx, moving(v.Engine))
	if err != nil {
		return err
	}
	options := m.volumes.OptionsOf(v.Engine)
	placed := there && maps.Equal(is.Options, options)
	switch {
	case !there && !begun: // it is made by the next `up`
		return nil
	case there && !placed && !v.Data: // it is made anew
		return docker.RemoveVolume(ctx, v.Engine)
	case there && !placed:
		if begun { // cut off in the midst of the copy
			if err := docker.RemoveVolume(ctx, moving(v.Engine)); err != nil {
				return err
			}
			if err := docker.EmptyFolder(ctx, m.prefix, image, m.volumes.Mount, v.Engine); err != nil {
				return err
			}
		}
		if err := makeVolume(ctx, docker, m.prefix, image, m.volumes, moving(v.Engine), v.Engine); err != nil {
			return err
		}
		done, err := docker.CopyVolume(ctx, m.prefix, image, v.Engine, moving(v.Engine))
		if err != nil {
			return err
		}
		if err := docker.RemoveVolume(ctx, v.Engine); err != nil {
			return err
		}
		tell("%s: copied and compared %d files, %.1f MB", v.Engine, done.Files, float64(done.Bytes)/1e6)
	}
	if !placed {
		if err := docker.CreateVolume(ctx, v.Engine, m.volumes.Driver, options); err != nil {
			return err
		}
	}
	return docker.RemoveVolume(ctx, moving(v.Engine))
}
