package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// images are the names of all images that the engine has.
func images(ctx context.Context) (map[string]bool, error) {
	out, err := output(ctx, "docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
	all := map[string]bool{}
	for _, name := range strings.Fields(out) {
		all[name] = true
	}
	return all, err
}

// dropImage removes an image at the end of a measurement, unless it was there
// before this run.
func (b *bench) dropImage(ctx context.Context, name string) error {
	if name == "" || b.before[name] {
		return nil
	}
	if now, err := images(ctx); err != nil || !now[name] {
		return err
	}
	_, err := output(ctx, "docker", "image", "rm", name)
	return err
}

const benchLabel = "tarot.bench"

// removeImages removes what has this run's name, and the cache of its builds.
func (b *bench) removeImages(ctx context.Context) error {
	all, err := images(ctx)
	if err != nil {
		return err
	}
	for name := range all {
		if strings.HasPrefix(name, b.id) || !b.before[name] && b.built(ctx, name) {
			_, failure := output(ctx, "docker", "image", "rm", name)
			err = errors.Join(err, failure)
		}
	}
	_, failure := output(ctx, "docker", "image", "prune", "--force", "--filter", "label="+benchLabel+"="+b.id)
	b.pruneBuilds(ctx)
	return errors.Join(err, failure)
}

// removeRecords removes the records of the run's releases: `pulumi destroy` leaves them,
// for whoever brings the stack up again.
func (b *bench) removeRecords(ctx context.Context) error {
	out, err := output(ctx, "docker", "volume", "ls", "--quiet", "--filter", "label=tarot.release")
	for _, name := range strings.Fields(out) {
		if strings.Contains(name, b.id) {
			_, failure := output(ctx, "docker", "volume", "rm", name)
			err = errors.Join(err, failure)
		}
	}
	return err
}

// built is true for an image with this run's mark: one of an `up` that was interrupted.
func (b *bench) built(ctx context.Context, name string) bool {
	history, err := output(ctx, "docker", "image", "history", "--no-trunc", "--format", "{{.CreatedBy}}", name)
	return err == nil && strings.Contains(history, b.id)
}

// pruneBuilds gives the disk space of the run's builds back. Every RUN has the
// run's name in it, and what descends from one is of this run, too. What can not
// be removed is left to the engine, which bounds its cache.
func (b *bench) pruneBuilds(ctx context.Context) {
	type record struct{ ID, Parent, Description string }
	var usage struct{ BuildCache []record }
	if err := b.ask(ctx, "/system/df", &usage); err != nil {
		say("warn  the build cache: %v", err)
		return
	}
	mine := map[string]bool{}
	for before := -1; before != len(mine); {
		before = len(mine)
		for _, r := range usage.BuildCache {
			if strings.Contains(r.Description, b.id) || mine[r.Parent] {
				mine[r.ID] = true
			}
		}
	}
	for id := range mine {
		_, _, err := command{args: []string{"docker", "builder", "prune", "--all", "--force", "--filter", "id=" + id}}.run(ctx)
		if err != nil {
			say("warn  the build cache: %v", err)
			return
		}
	}
	say("      %d entries of the build cache were this run's", len(mine))
}

// ask is for what the CLI tells in no other form than a table. Only a local
// engine is asked.
func (b *bench) ask(ctx context.Context, path string, into any) error {
	address := os.Getenv("DOCKER_HOST")
	if address == "" {
		address, _ = output(ctx, "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	}
	socket, local := strings.CutPrefix(address, "unix://")
	if !local {
		return fmt.Errorf("%s is no local engine", address)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(into)
}

// leftovers is an error that names what is still there.
func (b *bench) leftovers(ctx context.Context) error {
	var left []string
	for _, kind := range []struct{ what, format string }{{"container", "{{.Names}}"}, {"network", "{{.Name}}"}, {"volume", "{{.Name}}"}, {"image", "{{.Repository}}:{{.Tag}}"}} {
		args := []string{"docker", kind.what, "ls", "--format", kind.format}
		if kind.what == "container" {
			args = append(args, "--all")
		}
		out, err := output(ctx, args...)
		if err != nil {
			return err
		}
		for _, name := range strings.Fields(out) {
			if strings.Contains(name, b.id) {
				left = append(left, kind.what+" "+name)
			}
		}
	}
	if len(left) > 0 {
		slices.Sort(left)
		return fmt.Errorf("left behind: %s", strings.Join(left, ", "))
	}
	return nil
}

// address is a container's on a network whose name ends so.
func address(ctx context.Context, container, network string) (string, error) {
	out, err := output(ctx, "docker", "container", "inspect", "--format", "{{json .NetworkSettings.Networks}}", container)
	if err != nil {
		return "", err
	}
	var networks map[string]struct{ IPAddress string }
	if err := json.Unmarshal([]byte(out), &networks); err != nil {
		return "", err
	}
	for name, n := range networks {
		if strings.HasSuffix(name, network) && n.IPAddress != "" {
			return n.IPAddress, nil
		}
	}
	return "", fmt.Errorf("container %s has no address on a network %s", container, network)
}

// reachable is false where containers' addresses are those of a virtual machine.
func reachable(hostPort string) bool {
	conn, err := net.DialTimeout("tcp", hostPort, 3*time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}
