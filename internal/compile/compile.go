// Package compile makes build contexts of programs of this module, by the Go that runs it: an
// image of one needs nothing that has to be pulled.
package compile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tarot-platform/internal/buildcontext"
)

// folder is where the contexts are, below the project's.
const folder = ".build"

// dockerfile is of an image that holds the programs alone, and starts the first one.
const dockerfile = `FROM scratch
COPY %s /
ENTRYPOINT ["/%s"]
`

// Scheduler compiles cmd/scheduler for an os/architecture. All that it is made of is in the
// program that asks for it, so that no module has to be got.
func Scheduler(ctx context.Context, platform string) (buildcontext.Build, error) {
	return image(ctx, "the scheduler", platform, "scheduler")
}

// Backup compiles cmd/backup, and the scheduler that starts it when it is due.
func Backup(ctx context.Context, platform string) (buildcontext.Build, error) {
	return image(ctx, "what backs up", platform, "backup", "scheduler")
}

// ACME compiles cmd/acme, which is a module of its own: what it is made of has to be got once.
func ACME(ctx context.Context, platform string) (buildcontext.Build, error) {
	return image(ctx, "what gets certificates", platform, "acme")
}

// image is the context of an image of programs of this module, or of modules below it; whose says in an error what
// they are for.
func image(ctx context.Context, whose, platform string, programs ...string) (buildcontext.Build, error) {
	b := buildcontext.Build{Context: filepath.Join(folder, programs[0], strings.ReplaceAll(platform, "/", "-")), Dockerfile: "Dockerfile", Platform: platform}
	if err := os.MkdirAll(b.Context, 0o755); err != nil {
		return b, err
	}
	for _, name := range programs {
		file, err := filepath.Abs(filepath.Join(b.Context, name))
		if err != nil {
			return b, err
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", file, ".")
		cmd.Dir = filepath.Join("cmd", name)
		cmd.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0"}, target(platform)...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			if errors.Is(err, exec.ErrNotFound) {
				return b, fmt.Errorf("%s is compiled here, and there is no `go` on the PATH: `make pulumi` gets one", whose)
			}
			return b, fmt.Errorf("compile %s: %w\n%s", whose, err, strings.TrimSpace(string(out)))
		}
		// The same image whatever the umask.
		if err := os.Chmod(file, 0o755); err != nil {
			return b, err
		}
	}
	recipe := filepath.Join(b.Context, b.Dockerfile)
	if err := os.WriteFile(recipe, fmt.Appendf(nil, dockerfile, strings.Join(programs, " "), programs[0]), 0o644); err != nil {
		return b, err
	}
	return b, os.Chmod(recipe, 0o644)
}

// target is an os/architecture as Go's variables.
func target(platform string) []string {
	parts := append(strings.Split(platform, "/"), "", "")
	all := []string{"GOOS=" + parts[0], "GOARCH=" + parts[1]}
	if version, is := strings.CutPrefix(parts[2], "v"); is && parts[1] == "arm" {
		all = append(all, "GOARM="+version)
	}
	return all
}
