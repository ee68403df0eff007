package engine

import (
	"bytes"
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

//go:embed place.sh
var placeScript string

// Medium is what a folder or a volume lies on.
type Medium struct {
	// Filesystem is its type, Source what is mounted, and Options are the file system's own.
	Filesystem, Source string
	Options            []string
	// Encrypted is by what it is seen to be; empty: by nothing.
	Encrypted string
}

// String is the place as it is told.
func (p Medium) String() string {
	said := p.Filesystem + " on " + p.Source
	if p.Encrypted != "" {
		said += ", " + p.Encrypted
	}
	return said
}

// Private is true where nobody but who has mounted it may look into it, whatever it says of modes.
func (p Medium) Private() bool {
	return strings.HasPrefix(p.Filesystem, "fuse") && !slices.Contains(p.Options, "allow_other")
}

// OnNetwork is true where the file system is known to be on another machine, or may be.
func (p Medium) OnNetwork() bool {
	return slices.Contains(networkFileSystems, p.Filesystem) || strings.HasPrefix(p.Filesystem, "fuse") && !slices.Contains(byItself, p.Filesystem)
}

// byItself are file systems that encrypt what they hold, on this machine.
var byItself = []string{"fuse.gocryptfs", "ecryptfs"}

// Mount is a folder of the engine's machine that something is to be mounted at.
type Mount struct {
	Medium
	// There is false where there is no such folder, and Mounted where nothing is mounted at it.
	There, Mounted bool
	// Beneath is what it has by itself, and shows while nothing is mounted.
	Beneath []string
}

// lookMemory is for a shell.
const lookMemory = 64 << 20

// LookAt looks at a folder of the engine's machine, as the engine sees it: it may be another one, or in a
// namespace of mounts of its own. The image has to be on the engine, and to have a shell.
func (e *Engine) LookAt(ctx context.Context, prefix, image, folder string) (Mount, error) {
	var found Mount
	look := e.look(image, path.Base(folder),
		OnceMount{Source: folder, Target: "/look/mount", Host: true, ReadOnly: true}, OnceMount{Source: path.Dir(folder), Target: "/above", Host: true, ReadOnly: true, Shallow: true})
	said, err := e.say(ctx, prefix, look)
	if err != nil {
		if strings.Contains(err.Error(), "bind source path does not exist") {
			return found, nil
		}
		return found, fmt.Errorf("%s on the engine's machine: %w", folder, err)
	}
	found.There = true
	places, err := readPlaces(said)
	found.Medium = places["mount"]
	for line := range strings.Lines(said) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "mounted":
			found.Mounted = rest == "yes"
		case "beneath":
			found.Beneath = append(found.Beneath, rest)
		}
	}
	return found, err
}

// VolumesLie says what each of the volumes lies on. It is an error where one can't be mounted.
func (e *Engine) VolumesLie(ctx context.Context, prefix, image string, volumes []string) (map[string]Medium, error) {
	var mounts []OnceMount
	for _, v := range volumes {
		mounts = append(mounts, OnceMount{Source: v, Target: "/look/" + v, ReadOnly: true})
	}
	said, err := e.say(ctx, prefix, e.look(image, "", mounts...))
	if err != nil {
		return nil, err
	}
	return readPlaces(said)
}

// EngineLies says what the folder lies on in which the engine has volumes without a place of their own.
func (e *Engine) EngineLies(ctx context.Context, prefix, image string) (Medium, error) {
	said, err := e.say(ctx, prefix, e.look(image, "", OnceMount{Source: path.Join(e.Info.DockerRootDir, "volumes"), Target: "/look/engine", Host: true, ReadOnly: true}))
	if err != nil {
		return Medium{}, err
	}
	places, err := readPlaces(said)
	return places["engine"], err
}

// MakeFolders makes folders below one of the engine's machine, where they are not there.
func (e *Engine) MakeFolders(ctx context.Context, prefix, image, below string, names []string) error {
	o := e.look(image, "", OnceMount{Source: below, Target: "/look/mount", Host: true})
	o.Command = append([]string{"/bin/sh", "-euc", `cd /look/mount && mkdir -p -- "$@"`, "folders"}, names...)
	o.Capabilities = []string{"DAC_OVERRIDE"} // whoever it belongs to
	if _, err := e.say(ctx, prefix, o); err != nil {
		return fmt.Errorf("folders below %s on the engine's machine: %w", below, err)
	}
	return nil
}

// EmptyFolder removes what is in a folder below one of the engine's machine.
func (e *Engine) EmptyFolder(ctx context.Context, prefix, image, below, name string) error {
	o := e.look(image, "", OnceMount{Source: below, Target: "/look/mount", Host: true})
	o.Command = []string{"/bin/sh", "-euc", `cd "/look/mount/$1" && rm -rf -- ..?* .[!.]* *`, "folders", name}
	o.Capabilities = []string{"DAC_OVERRIDE"}
	if _, err := e.say(ctx, prefix, o); err != nil {
		return fmt.Errorf("%s below %s on the engine's machine: %w", name, below, err)
	}
	return nil
}

// look is a container that reads what the kernel says of its mounts, and has no way out.
func (e *Engine) look(image, below string, mounts ...OnceMount) Once {
	return Once{Name: "look", Image: image, User: "0:0", Command: []string{"/bin/sh", "-c", placeScript, "look", below},
		Capabilities: []string{"DAC_READ_SEARCH"}, Mounts: mounts, Memory: lookMemory, Again: true}
}

func (e *Engine) say(ctx context.Context, prefix string, o Once) (string, error) {
	var said bytes.Buffer
	err := e.RunOnce(ctx, prefix, o, &said)
	return said.String(), err
}

// readPlaces reads what the script has said of the folders.
func readPlaces(said string) (map[string]Medium, error) {
	all := map[string]Medium{}
	for line := range strings.Lines(said) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		encrypted, rest, _ := strings.Cut(rest, " ")
		_, mounted, found := strings.Cut(rest, " - ")
		fields := strings.Fields(mounted)
		if !found || len(fields) < 3 {
			continue
		}
		p := Medium{Filesystem: fields[0], Source: fields[1], Options: strings.Split(fields[2], ",")}
		switch {
		case encrypted == "yes":
			p.Encrypted = "encrypted by dm-crypt"
		case slices.Contains(byItself, p.Filesystem):
			p.Encrypted = "encrypted by " + strings.TrimPrefix(p.Filesystem, "fuse.")
		}
		all[name] = p
	}
	if len(all) == 0 {
		return nil, errors.New("the kernel says nothing of it")
	}
	return all, nil
}

// FirstThere is the first of the images that this engine has; empty: it has none.
func (e *Engine) FirstThere(ctx context.Context, images []string) (string, error) {
	for _, image := range images {
		if there, err := e.HasImage(ctx, image); err != nil || there {
			return image, err
		}
	}
	return "", nil
}
