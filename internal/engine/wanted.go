package engine

import (
	"fmt"
	"math"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
)

// Wanted is what a container is held against: its image, and what can be changed by
// hand while it is there.
type Wanted struct {
	// Image is as it was asked for.
	Image string
	// CPUs is in cores; 0 is no limit.
	CPUs float64
	// Memory is in bytes, of which the provider takes whole mebibytes.
	Memory int64
	// Networks are the names of those that it has to be on.
	Networks []string
	// Steady is how long it has to have run without ending, in place of a health check. 0:
	// there is a check, and it has to be healthy.
	Steady time.Duration
}

// Tasks are what a service's tasks have to be.
type Tasks struct {
	// Image is as it was asked for, and Replicas how many there are to be.
	Image    string
	Replicas int
	// Steady is as in Wanted.
	Steady time.Duration
}

// difference says what a container differs in, and what mends that; nothing where it
// is as wanted. An engine whose kernel can not limit something leaves that out.
func (w Wanted) difference(c container.InspectResponse, can system.Info) string {
	const mends = ": `pulumi up --refresh` mends it"
	if c.Config.Image != w.Image {
		return fmt.Sprintf("it runs %s, not %s", c.Config.Image, w.Image)
	}
	if memory := w.Memory >> 20 << 20; can.MemoryLimit && c.HostConfig.Memory != memory {
		return fmt.Sprintf("its memory is limited to %d bytes, not %d%s", c.HostConfig.Memory, memory, mends)
	}
	if cpus := int64(math.Round(w.CPUs * 1e9)); can.CPUCfsQuota && c.HostConfig.NanoCPUs != cpus {
		return fmt.Sprintf("it may use %g cores, not %g%s", float64(c.HostConfig.NanoCPUs)/1e9, w.CPUs, mends)
	}
	for _, name := range w.Networks {
		if c.NetworkSettings == nil || c.NetworkSettings.Networks[name] == nil {
			return fmt.Sprintf("it is not on the network %s: `docker network connect %s %s` mends it for the moment, and a release for good", name, name, c.Name[1:])
		}
	}
	return ""
}
