package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fromClone measures figure 5: what `make dev` does, step by step, with all that
// can be cached in its cache.
func (b *bench) fromClone(ctx context.Context, r *report) error {
	steps, err := b.cloneSteps(ctx, "warm", nil)
	r.warm = steps
	return err
}

// coldClone is the same with empty caches, for what can be had without touching
// the machine: the engine stays.
func (b *bench) coldClone(ctx context.Context, r *report) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Minute)
	defer cancel()
	env, err := b.coldEnvironment(ctx)
	if err != nil {
		return err
	}
	steps, err := b.cloneSteps(ctx, "cold", env)
	if err == nil {
		r.cold = steps
	}
	return err
}

// step is a part of the way from the clone to the first answer.
type step struct {
	name string
	took time.Duration
	note string
}

// cloneSteps runs the steps of `make dev` one by one. An environment makes it cold.
func (b *bench) cloneSteps(ctx context.Context, kind string, env []string) ([]step, error) {
	var steps []step
	cold := env != nil
	dir := filepath.Join(b.work, "clone-"+kind)
	run := func(name, note string, args ...string) (string, error) {
		out, took, err := command{dir: dir, env: env, only: cold, args: args}.run(ctx)
		steps = append(steps, step{name, took, note})
		say("      %s: %s", name, shown(took))
		return out, err
	}
	if err := mkdir(dir); err != nil {
		return nil, err
	}
	if _, err := run("`git clone`", "of this folder; over a network it takes as long as that", "git", "clone", "--quiet", "file://"+b.root, "."); err != nil {
		return steps, err
	}
	if b.machine.dirty { // what is measured is what is here
		if err := b.copyTo(ctx, dir); err != nil {
			return steps, err
		}
	}
	if _, err := run("`setup/engine.sh`", "the engine runs already", "setup/engine.sh"); err != nil {
		return steps, err
	}
	note := "everything is installed"
	if cold {
		note = "Go, the CLI and the plugins: downloaded, or built where they can not be"
	}
	path, err := run("`setup/pulumi.sh`", note, "setup/pulumi.sh")
	if err != nil {
		return steps, err
	}
	if cold && standIns(ctx) {
		var images []string
		for _, kind := range []string{"python", "nginx"} {
			images = append(images, fmt.Sprintf(`setup/standins/build.sh %[1]s "$1" "$2/rootfs.tar" && docker build --quiet --tag %[2]s-%[1]s --file setup/standins/%[1]s/Dockerfile "$2"`, kind, b.id))
		}
		arch, err := output(ctx, "docker", "version", "--format", "{{.Server.Arch}}")
		if err != nil {
			return steps, err
		}
		folder := filepath.Join(b.work, "standins")
		if err := mkdir(folder); err != nil {
			return steps, err
		}
		_, err = run("stand-ins for the base images", "what `setup/base-images.sh` does once the registry has not answered in 20 s; under other names, so that yours stay",
			"bash", "-ec", strings.Join(images, "\n"), "-", arch, folder)
		if err != nil {
			return steps, err
		}
	} else if _, err := run("`setup/base-images.sh`", "all images are here; pulling them takes as long as your connection does", "setup/base-images.sh"); err != nil {
		return steps, err
	}
	// `make dev` as it is would have the ports and the volume of the user's own stack.
	s := &stack{b: b, dir: dir, env: env, only: cold}
	if cold {
		s.bin = strings.TrimSpace(path)
		s.env = withPath(env, s.bin)
		if err := b.cold(filepath.Join(dir, "app", "Dockerfile")); err != nil {
			return steps, err
		}
	}
	overrides := map[string]any{"backend.publishPort": freePort(), "backend.debuggerPort": freePort()}
	started := time.Now()
	if err := b.prepare(ctx, s, "Pulumi.dev.yaml", overrides); err != nil {
		return steps, err
	}
	steps = append(steps, step{"the stack", time.Since(started), "`pulumi stack init`"})
	up, err := s.up(ctx)
	if err != nil {
		return steps, err
	}
	note = "compiles the program's own packages; the image's layers are cached"
	if cold {
		note = "downloads and compiles the program; builds the image"
	}
	note += fmt.Sprintf(": the image took %s", shown(up.image))
	steps = append(steps, step{"`pulumi up`", up.whole, note})
	say("      pulumi up: %s", shown(up.whole))
	url, err := s.output(ctx, "apiUrl")
	if err != nil {
		return steps, err
	}
	started = time.Now()
	if err := answers(ctx, url+"/cards"); err != nil {
		return steps, err
	}
	steps = append(steps, step{"the first answer", time.Since(started), "`GET /api/v1/cards`"})
	return steps, s.destroy(ctx)
}

// coldEnvironment is one with a home, and so with caches, that are empty.
// Programs of /usr/local/bin are not seen, so that set-up leaves its links alone.
func (b *bench) coldEnvironment(ctx context.Context) ([]string, error) {
	home := filepath.Join(b.work, "home")
	bin := filepath.Join(home, ".local", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil { //nolint:gosec // a home
		return nil, err
	}
	for _, tool := range []string{"docker", "git", "curl"} { // wherever they are
		program, err := exec.LookPath(tool)
		if err != nil {
			return nil, err
		}
		if err := os.Symlink(program, filepath.Join(bin, tool)); err != nil {
			return nil, err
		}
	}
	env := []string{"HOME=" + home, "PATH=" + bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "GOFLAGS=-modcacherw", "LANG=C.UTF-8"}
	for _, name := range []string{"GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE"} {
		if value, err := output(ctx, "go", "env", name); err == nil && value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "DOCKER_HOST",
		"APT_MIRROR", "TAROT_REGISTRY_MIRROR", "TAROT_PULUMI_MIRROR", "TAROT_TOOLCHAIN", "TAROT_BASE_IMAGES", "TAROT_PULL_PATIENCE"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	if b.quick { // to see that the way works: with Go's own caches
		for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
			value, err := output(ctx, "go", "env", name)
			if err != nil {
				return nil, err
			}
			env = append(env, name+"="+value)
		}
	}
	return env, nil
}

func withPath(env []string, folders string) []string {
	all := append([]string{}, env...)
	for i, variable := range all {
		if rest, found := strings.CutPrefix(variable, "PATH="); found {
			all[i] = "PATH=" + folders + ":" + rest
		}
	}
	return all
}

// standIns is true where the base images were built here.
func standIns(ctx context.Context) bool {
	for _, image := range []string{"python:3.11-slim", "nginx:1.30"} {
		label, err := output(ctx, "docker", "image", "inspect", "--format", `{{index .Config.Labels "tarot.standin"}}`, image)
		if err != nil || label != "true" {
			return false
		}
	}
	return true
}

func mkdir(dir string) error { return os.MkdirAll(dir, 0o755) } //nolint:gosec // containers read it
