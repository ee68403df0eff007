package main

import (
	"context"

	"tarot-platform/components/part"
	"tarot-platform/internal/audit"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// kernelAudit is what the kernel says, in a container, of what the stack leaves on a disk.
func (d deployed) kernelAudit(ctx context.Context, subjects []audit.Subject) []audit.Finding {
	cfg, err := d.configuration(ctx)
	var described []part.Described
	if err == nil {
		described, err = describeSecrets(cfg, d.prefix)
	}
	image := ""
	if err == nil {
		image, err = d.lookImage(ctx, described)
	}
	if err != nil {
		return []audit.Finding{audit.OfVolume("the stack's volumes", audit.Unknown, err.Error(), ""), audit.CoresUntold(err.Error())}
	}
	return append(d.restAudit(ctx, image, cfg.Volumes, described), d.coreAudit(ctx, image, subjects)...)
}

// restAudit says of each volume with data what it lies on.
func (d deployed) restAudit(ctx context.Context, image string, wants config.Volumes, described []part.Described) []audit.Finding {
	untold := func(err error) []audit.Finding {
		return []audit.Finding{audit.OfVolume("the stack's volumes", audit.Unknown, err.Error(), "")}
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
	mount := engine.Mount{Mounted: true}
	if wants.Mount != "" {
		var err error
		if mount, err = d.docker.LookAt(ctx, d.prefix, image, wants.Mount); err != nil {
			return untold(err)
		}
	}
	if !mount.Mounted {
		return []audit.Finding{audit.OfVolume(wants.Mount, audit.Fail, "nothing is mounted there, and what starts now finds no data", "")}
	}
	places, err := d.docker.VolumesLie(ctx, d.prefix, image, names)
	if err != nil {
		return untold(err)
	}
	var found []audit.Finding
	for _, name := range names {
		at, told := places[name]
		if !told {
			found = append(found, audit.OfVolume(name, audit.Unknown, "the kernel does not say what it lies on", ""))
			continue
		}
		found = append(found, atRest(name, at, mount.Medium, wants))
	}
	return found
}

// coreAudit says of each container that runs whether its memory is written to a disk where it crashes.
func (d deployed) coreAudit(ctx context.Context, image string, subjects []audit.Subject) []audit.Finding {
	titles := map[int]string{}
	var processes []int
	for _, s := range subjects {
		if s.State != nil && s.State.Running && s.State.Pid > 0 {
			titles[s.State.Pid] = s.Title
			processes = append(processes, s.State.Pid)
		}
	}
	if len(processes) == 0 {
		return nil
	}
	cores, err := d.docker.Cores(ctx, d.prefix, image, processes)
	if err != nil {
		return []audit.Finding{audit.CoresUntold(err.Error())}
	}
	var found []audit.Finding
	for _, process := range processes {
		if limit, told := cores.Limits[process]; told { // it has ended otherwise
			found = append(found, audit.OfCore(titles[process], limit, cores.Pattern))
		}
	}
	return found
}

// atRest is what is said of a volume that lies there.
func atRest(name string, at, mounted engine.Medium, wants config.Volumes) audit.Finding {
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
