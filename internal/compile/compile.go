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

// dockerfile is of an image that holds the program alone.
const dockerfile = `FROM scratch
COPY %[1]s /%[1]s
ENTRYPOINT ["/%[1]s"]
`

// Scheduler compiles cmd/scheduler for an os/architecture. All that it is made of is in the
// program that asks for it, so that no module has to be got.
func Scheduler(ctx context.Context, platform string) (buildcontext.Build, error) {
	return program(ctx, "scheduler", platform)
}

func program(ctx context.Context, name, platform string) (buildcontext.Build, error) {
	b := buildcontext.Build{Context: filepath.Join(folder, name, strings.ReplaceAll(platform, "/", "-")), Dockerfile: "Dockerfile", Platform: platform}
	if err := os.MkdirAll(b.Context, 0o755); err != nil {
		return b, err
	}
	file := filepath.Join(b.Context, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", file, "./cmd/"+name)
	cmd.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0"}, target(platform)...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return b, errors.New("the scheduler is compiled here, and there is no `go` on the PATH: `make pulumi` gets one")
		}
		return b, fmt.Errorf("compile the scheduler: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	recipe := filepath.Join(b.Context, b.Dockerfile)
	if err := os.WriteFile(recipe, fmt.Appendf(nil, dockerfile, name), 0o644); err != nil {
		return b, err
	}
	// The same image whatever the umask.
	return b, errors.Join(os.Chmod(recipe, 0o644), os.Chmod(file, 0o755))
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
