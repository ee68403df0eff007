package main

import (
	"context"

	"tarot-platform/components/part"
	"tarot-platform/internal/audit"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// restAudit says of each volume with data what it lies on, as the kernel has it in a container.
func (d deployed) restAudit(ctx context.Context) []audit.Finding {
	untold := func(err error) []audit.Finding {
		return []audit.Finding{audit.OfVolume("the stack's volumes", audit.Unknown, err.Error(), "")}
	}
	cfg, err := d.configuration(ctx)
	if err != nil {
		return untold(err)
	}
	described, err := describeSecrets(cfg, d.prefix)
	if err != nil {
		return untold(err)
	}
	var names []string
	for _, v := range part.Private(described) {
		_, there, err := d.docker.Volume(ctx, v.Engine)
		if err != nil {
			return untold(err)
		}
		if there {
			names = append(names, v.Engine)
		}
	}
	if len(names) == 0 {
		return nil
	}
	image, err := d.lookImage(ctx, described)
	if err != nil {
		return untold(err)
	}
	mount := engine.Mount{Mounted: true}
	if at := cfg.Volumes.Mount; at != "" {
		if mount, err = d.docker.LookAt(ctx, d.prefix, image, at); err != nil {
			return untold(err)
		}
	}
	if !mount.Mounted {
		return []audit.Finding{audit.OfVolume(cfg.Volumes.Mount, audit.Fail, "nothing is mounted there, and what starts now finds no data", "")}
	}
	places, err := d.docker.VolumesLie(ctx, d.prefix, image, names)
	if err != nil {
		return untold(err)
	}
	var found []audit.Finding
	for _, name := range names {
		found = append(found, atRest(name, places[name], mount.Place, cfg.Volumes))
	}
	return found
}

// atRest is what is said of a volume that lies there.
func atRest(name string, at, mounted engine.Place, wants config.Volumes) audit.Finding {
	switch {
	case wants.Mount != "" && at.Source != mounted.Source:
		return audit.OfVolume(name, audit.Fail, "it lies on "+at.String()+", and not on what is mounted at "+wants.Mount, "")
	case at.Encrypted != "":
		return audit.OfVolume(name, audit.Pass, "", "")
	case wants.Encrypted:
		return audit.OfVolume(name, audit.Fail, "not seen to be encrypted: "+at.String(), "")
	}
	return audit.OfVolume(name, audit.Exception, "not seen to be encrypted: "+at.String(), "volumes.encrypted is false: whoever has the disk reads it, where that is not encrypted in a way that can't be seen ("+at.Filesystem+" on "+at.Source+")")
}

// lookImage is an image that the engine has and that has a shell: of the stack as it is configured, or of
// a release that has run.
func (d deployed) lookImage(ctx context.Context, described []part.Described) (string, error) {
	image, err := d.docker.FirstThere(ctx, part.WithShell(described))
	if err != nil || image != "" {
		return image, err
	}
	return volumeCopy{stack: d.name, prefix: d.prefix}.image(ctx, d.docker)
}
