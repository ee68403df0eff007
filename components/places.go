package components

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// checkPlaces refuses a deploy whose data would not lie where the configuration wants them: what is
// mounted there is looked at before anything is touched, as an empty folder beneath a mount that is missing
// would take them all the same.
func (v volumes) checkPlaces() (faults []error, err error) {
	wants := v.args.Config.Volumes
	if wants.Mount == "" && !wants.Encrypted {
		return nil, nil
	}
	image, err := v.looksWith()
	if err != nil {
		return nil, err
	}
	if wants.Mount == "" {
		place, err := v.args.Engine.EngineLies(v.ctx.Context(), v.args.Prefix, image)
		if err != nil || place.Encrypted != "" {
			return nil, err
		}
		return []error{refuse("volumes.encrypted", "true", "and the engine has its volumes on what is not seen to be encrypted ("+place.String()+")",
			"the engine's data-root on a device of dm-crypt (LUKS), or volumes.mount; see docs/encryption.md")}, nil
	}
	found, err := v.args.Engine.LookAt(v.ctx.Context(), v.args.Prefix, image, wants.Mount)
	if err != nil {
		return nil, err
	}
	return v.judge(found), nil
}

// judge says what is wrong with what is mounted.
func (v volumes) judge(found engine.Mount) (faults []error) {
	wants := v.args.Config.Volumes
	fault := func(why, allowed string) {
		faults = append(faults, refuse("volumes.mount", wants.Mount, why, allowed))
	}
	const mountIt = "mount it, and run the same again"
	switch {
	case !found.There:
		fault("is no folder of the engine's machine", mountIt)
		return faults
	case !found.Mounted:
		fault("has nothing mounted at it on the engine's machine: data would be on the disk beneath", mountIt)
		return faults
	case found.Private():
		fault("can be looked into by nobody but who has mounted it ("+found.String()+")", "mount it with allow_other")
	}
	if wants.Encrypted && found.Encrypted == "" {
		faults = append(faults, refuse("volumes.encrypted", "true", fmt.Sprintf("and what is mounted at %s is not seen to be encrypted (%s)", wants.Mount, found.Medium),
			"a device of dm-crypt (LUKS), or gocryptfs; or false, where it is encrypted in a way that can't be seen"))
	}
	for _, of := range part.Private(v.parts) {
		if slices.Contains(found.Beneath, of.Engine) {
			fault(fmt.Sprintf("has a folder %s beneath what is mounted: whatever starts while nothing is mounted would write there", of.Engine),
				"unmount it, look whether anything in there is needed, remove it, and mount it again")
		}
	}
	if holds, there := storage.InSQLite(v.context); there && found.OnNetwork() {
		faults = append(faults, refuse(storage.Key(v.context, holds.Name), holds.Engine,
			fmt.Sprintf("would be on another machine (%s), where SQLite's locks and shared memory do not hold", found.Medium), "a file system of the engine's machine in volumes.mount, or a database of another kind"))
	}
	return faults
}

// lies refuses a volume that is there and lies elsewhere: it keeps its options for ever, and another place
// for it would be without what is in it.
func (v volumes) lies(of part.Volume, is engine.Volume) error {
	wants := v.args.Config.Volumes
	options := wants.OptionsOf(of.Engine)
	for name, value := range options {
		if is.Options[name] == value {
			continue
		}
		if wants.Mount == "" {
			return refuse("volumes.driverOptions."+name, value, fmt.Sprintf("is not what the volume %s was made with, and a volume keeps its options", of.Engine),
				fmt.Sprintf("%q; or a new volume: %s", is.Options[name], v.anew(of)))
		}
		if !of.Data {
			return refuse("volumes.mount", wants.Mount, fmt.Sprintf("is not where the volume %s lies, which holds copies for a while", of.Engine), v.moves())
		}
		return refuse("volumes.mount", wants.Mount, fmt.Sprintf("is not where the volume %s lies, and what is in it would be left behind", of.Engine), v.moves())
	}
	// One that lies below a mount point by this key, which nobody would look at any more.
	if at := is.Options["device"]; wants.Mount == "" && is.Options["type"] == "none" && path.Base(at) == of.Engine && strings.HasPrefix(at, "/") && len(wants.DriverOptions) == 0 {
		return refuse("volumes.mount", "", fmt.Sprintf("is not where the volume %s lies", of.Engine), fmt.Sprintf("%s; or %s", path.Dir(at), v.moves()))
	}
	return nil
}

// moves is how volumes come to lie elsewhere.
func (v volumes) moves() string {
	return fmt.Sprintf("`make destroy STACK=%s`, which keeps them where volumes.retain is true; `make volume-move STACK=%[1]s`, which brings them there; `pulumi up`", v.ctx.Stack())
}

// looksWith is an image that the engine has: what is mounted is looked at from inside a container.
func (v volumes) looksWith() (string, error) {
	image, err := v.args.Engine.FirstThere(v.ctx.Context(), part.WithShell(v.parts))
	if err == nil && image == "" {
		err = fmt.Errorf("%s:volumes.mount: what is mounted is looked at from inside a container, and this engine has none of the stack's images yet: docker pull %s, or make setup",
			config.Namespace, part.WithShell(v.parts)[0])
	}
	return image, err
}

// makePlaces makes the folders of volumes that are new.
func (r *rollout) makePlaces() error {
	wants := r.args.Config.Volumes
	if wants.Mount == "" || r.ctx.DryRun() {
		return nil
	}
	var names []string
	for _, of := range part.Private(r.parts) {
		names = append(names, of.Engine)
	}
	if len(names) == 0 {
		return nil
	}
	image, err := volumes{r, nil}.looksWith()
	if err != nil {
		return err
	}
	return r.args.Engine.MakeFolders(r.ctx.Context(), r.args.Prefix, image, wants.Mount, names)
}
