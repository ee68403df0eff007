package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
)

// Volume is a volume that the engine has.
type Volume struct {
	Name, Driver string
	// Options are those that the driver was given when the volume was made.
	Options map[string]string
}

// Volume is the one of the name; there is false where the engine has none.
func (e *Engine) Volume(ctx context.Context, name string) (found Volume, there bool, err error) {
	v, err := e.api.VolumeInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return Volume{}, false, nil
	}
	if err != nil {
		return Volume{}, false, fmt.Errorf("docker engine at %s: volume %s: %w", e.Address, name, err)
	}
	return Volume{v.Name, v.Driver, v.Options}, true, nil
}

// networkFileSystems are those that the driver `local` mounts as mount(8) does.
var networkFileSystems = []string{"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "afs", "lustre", "glusterfs", "beegfs"}

// OnNetwork says by which of its options the volume is on another machine; empty: by none.
// What a driver of another name does can't be seen from here, and what a folder of the host is
// neither.
func (v Volume) OnNetwork() string {
	if v.Driver != "local" {
		return ""
	}
	kind := v.Options["type"]
	if slices.Contains(networkFileSystems, kind) || strings.HasPrefix(kind, "fuse") {
		return "type=" + kind
	}
	for option := range strings.SplitSeq(v.Options["o"], ",") {
		if strings.HasPrefix(option, "addr=") {
			return "o=" + option
		}
	}
	return ""
}
