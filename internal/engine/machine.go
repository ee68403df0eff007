package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// Machine is what is known of the engine's machine, without anything being started there.
type Machine struct {
	// Address is where the engine answers, and Version its own.
	Address, Version string
	// Memory is all that there is, and Available what can be had at the moment; 0: nobody says.
	Memory, Available int64
	// Uses are what a replica of a workload uses at the moment.
	Uses map[string]int64
	// Ahead is how far its clock is before this machine's; false: it did not say.
	Ahead      time.Duration
	ClockKnown bool
	// Disk is that of images and containers; DiskUnknown is why nobody knows of it.
	Disk        Disk
	DiskUnknown error
}

// Disk is what is free on a file system, in bytes.
type Disk struct {
	Folder     string
	Free, Size int64
	// Files is how many more it can have, where it counts them.
	Files       int64
	CountsFiles bool
}

// Machine asks for it. Workloads are those whose use of memory is asked for, and Disk is seen from here, or else
// from inside a container of the stack that runs.
func (e *Engine) Machine(ctx context.Context, prefix string, workloads []string) Machine {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := Machine{Address: e.Address, Version: e.Info.ServerVersion, Memory: e.Info.MemTotal}
	m.Ahead, m.ClockKnown = e.ahead()
	if e.Local() {
		m.Available = available("/proc", e.Info.MemTotal)
	}
	var group sync.WaitGroup
	group.Go(func() { m.Disk, m.DiskUnknown = e.disk(ctx, prefix) })
	group.Go(func() { m.Uses = e.uses(ctx, prefix, workloads) })
	group.Wait()
	return m
}

// ahead compares the clocks: what the engine said is of some time between the question and its answer.
func (e *Engine) ahead() (time.Duration, bool) {
	theirs, err := time.Parse(time.RFC3339Nano, e.Info.SystemTime)
	switch {
	case err != nil || e.opened.IsZero():
		return 0, false
	case theirs.Before(e.opened):
		return theirs.Sub(e.opened), true
	case theirs.After(e.answered):
		return theirs.Sub(e.answered), true
	}
	return 0, true
}

// available is what Linux says can be had; 0: this is not the machine with that much, or it does not say.
func available(proc string, total int64) int64 {
	file, err := os.Open(filepath.Join(proc, "meminfo"))
	if err != nil {
		return 0
	}
	defer file.Close()
	found := map[string]int64{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
			found[name] = kilobytes << 10
		}
	}
	if here := found["MemTotal"]; here == 0 || here != total { // a virtual machine's engine on this one's socket
		return 0
	}
	return found["MemAvailable"]
}

// uses is what one replica of each workload uses; none of what does not run here.
func (e *Engine) uses(ctx context.Context, prefix string, workloads []string) map[string]int64 {
	var mu sync.Mutex
	all := map[string]int64{}
	var group sync.WaitGroup
	for _, name := range workloads {
		group.Go(func() {
			found, err := e.workload(ctx, prefix, name, false)
			if err != nil || len(found) == 0 {
				return
			}
			answer, err := e.api.ContainerStatsOneShot(ctx, found[0].ID)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			var s container.StatsResponse
			if json.NewDecoder(answer.Body).Decode(&s) != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			all[name] = int64(used(s)) //nolint:gosec // no machine has as much
		})
	}
	group.Wait()
	return all
}

// disk looks here, where the engine's folder is, or asks in a container: what it has for its own changes
// is on that disk.
func (e *Engine) disk(ctx context.Context, prefix string) (Disk, error) {
	if e.Local() {
		if d, err := freeAt(e.Info.DockerRootDir); err == nil {
			d.Folder = e.Info.DockerRootDir
			return d, nil
		}
	}
	var said string
	err := fmt.Errorf("the engine's disk can be seen on its machine alone, or by a container of the stack, of which none runs")
	for _, workload := range []string{"nginx", "backend"} {
		if n, asked := e.Runs(ctx, prefix, workload); asked != nil || n == 0 {
			continue
		}
		if said, err = e.Exec(ctx, prefix, workload, "df", "-P", "-k", "/"); err == nil {
			return readDisk(said, e.Info.DockerRootDir)
		}
	}
	return Disk{}, err
}

// readDisk reads what df says.
func readDisk(said, folder string) (Disk, error) {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) < 4 {
		return Disk{}, fmt.Errorf("df says %q", said)
	}
	size, err1 := strconv.ParseInt(fields[1], 10, 64)
	free, err2 := strconv.ParseInt(fields[3], 10, 64)
	if err1 != nil || err2 != nil {
		return Disk{}, fmt.Errorf("df says %q", said)
	}
	return Disk{Folder: folder, Size: size << 10, Free: free << 10}, nil
}

// Obtainable says whether an image is here, or can be had. Refused is why its registry has it not, in its own
// words; an error is that nobody knows.
func (e *Engine) Obtainable(ctx context.Context, image string) (here bool, refused string, err error) {
	if here, err = e.HasImage(ctx, image); err != nil || here {
		return here, "", err
	}
	_, err = e.askRegistry(ctx, image)
	if errdefs.IsNotFound(err) || errdefs.IsUnauthorized(err) || errdefs.IsPermissionDenied(err) {
		return false, err.Error(), nil
	}
	return false, "", err
}

// SizeOf is how much the images take that are on the engine.
func (e *Engine) SizeOf(ctx context.Context, images []string) (sum int64) {
	for _, image := range images {
		if found, err := e.api.ImageInspect(ctx, image); err == nil {
			sum += found.Size
		}
	}
	return sum
}
