package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// firstUp measures figures 1 and 3: the first `up` of dev beside Compose, both
// with a cold image build; and the image's build alone, cold and after a change.
func (b *bench) firstUp(ctx context.Context, r *report) error {
	if len(b.compose) == 0 {
		return errors.New("there is no Docker Compose to compare with")
	}
	var ours, peers, cold, warm, again samples
	for round := range b.rounds {
		pulumi := func() error {
			first, second, err := b.pulumiRound(ctx)
			ours.add(first.whole)
			cold.add(first.image)
			warm.add(second.image)
			again.add(second.whole)
			return err
		}
		compose := func() error {
			took, err := b.composeRound(ctx)
			peers.add(took)
			return err
		}
		// Neither is always the one that finds the machine warm.
		if round%2 == 1 {
			pulumi, compose = compose, pulumi
		}
		if err := pulumi(); err != nil {
			return err
		}
		if err := compose(); err != nil {
			return err
		}
	}
	r.add(figure{
		number: "1", name: "first `up` of dev / `docker compose up --build --wait`", ours: ours, peer: peers, unit: seconds, goal: atMost(1.3),
		how: "Both build the same Dockerfile's target `development`, of which no `RUN` is in the build cache, and end when the container is healthy. " +
			"`pulumi up --yes --skip-preview` also compiles the program's own packages (those that it depends on are compiled), makes the secrets and waits for an answer over HTTP. " +
			"The peer is [compose.yaml](../test/bench/testdata/compose.yaml), with " + b.composeVersion(ctx) + ".",
	})
	r.add(figure{
		number: "3", name: "image after a change of one line / cold", ours: warm, peer: cold, unit: seconds, goal: atMost(0.1),
		how: "The resource `backend-image` in the `up`s of figure 1 and in one after a line was added to `app/tarot/__init__.py`, from `creating` to `created` as the CLI reports it. " +
			"In dev itself a change needs no build: the code is mounted. The whole `up` with the rebuild and the container's replacement took " + again.String(seconds) + ".",
	})
	return nil
}

// pulumiRound is a first `up`, and one after a change of one line.
func (b *bench) pulumiRound(ctx context.Context) (first, second upTimes, err error) {
	dir, err := b.checkout(ctx, fmt.Sprintf("up-%d", b.stacks), "test/", "toolchain/")
	if err != nil {
		return first, second, err
	}
	if err := b.cold(filepath.Join(dir, "app", "Dockerfile")); err != nil {
		return first, second, err
	}
	s, err := b.newStack(ctx, dir, "Pulumi.dev.yaml", map[string]any{"backend.publishPort": freePort(), "backend.debuggerPort": freePort()})
	if err != nil {
		return first, second, err
	}
	if first, err = s.up(ctx); err != nil {
		return first, second, err
	}
	image, err := s.output(ctx, "image")
	if err != nil {
		return first, second, err
	}
	say("      up: %s, of it the image: %s", shown(first.whole), shown(first.image))
	if err := changeLine(dir); err != nil {
		return first, second, err
	}
	if second, err = s.up(ctx); err != nil {
		return first, second, err
	}
	say("      up after a change: %s, of it the image: %s", shown(second.whole), shown(second.image))
	if first.image == 0 || second.image == 0 {
		return first, second, errors.New("the CLI's output did not tell when the image was built")
	}
	return first, second, errors.Join(s.destroy(ctx), b.dropImage(ctx, image))
}

func (b *bench) composeRound(ctx context.Context) (time.Duration, error) {
	b.stacks++
	name := fmt.Sprintf("%s-%d", b.id, b.stacks)
	dir, err := b.checkout(ctx, "compose-"+name, "test/", "toolchain/")
	if err != nil {
		return 0, err
	}
	if err := b.cold(filepath.Join(dir, "app", "Dockerfile")); err != nil {
		return 0, err
	}
	port := freePort()
	compose := func(ctx context.Context, args ...string) (time.Duration, error) {
		_, took, err := command{dir: dir, args: append(append([]string{}, b.compose...), args...), env: []string{
			"BENCH_NAME=" + name, fmt.Sprintf("BENCH_PORT=%d", port), fmt.Sprintf("BENCH_DEBUGGER_PORT=%d", freePort()), "BENCH_SUBNET=" + b.subnet(),
		}}.run(ctx)
		return took, err
	}
	if err := errors.Join(
		copyFile(filepath.Join(b.root, "test/bench/testdata/compose.yaml"), filepath.Join(dir, "compose.yaml")),
		os.Mkdir(filepath.Join(dir, "secrets"), 0o755),                                                                                   //nolint:gosec // the container's user reads them
		os.WriteFile(filepath.Join(dir, "secrets", "jwt_secret_key"), []byte("0123456789abcdef0123456789abcdef0123456789abcdef"), 0o644), //nolint:gosec // the same
		os.WriteFile(filepath.Join(dir, "secrets", "admin_password"), []byte("0123456789abcdef"), 0o644),                                 //nolint:gosec // the same
	); err != nil {
		return 0, err
	}
	down := func(ctx context.Context) error {
		_, err := compose(ctx, "down", "--volumes", "--remove-orphans", "--rmi", "all")
		return err
	}
	b.later(down)
	took, err := compose(ctx, "up", "--build", "--detach", "--wait")
	if err != nil {
		return took, err
	}
	say("      compose up: %s", shown(took))
	if err := answers(ctx, fmt.Sprintf("http://127.0.0.1:%d/health", port)); err != nil {
		return took, err
	}
	return took, down(ctx)
}

// composeVersion is what the peer says of itself.
func (b *bench) composeVersion(ctx context.Context) string {
	version, err := output(ctx, append(append([]string{}, b.compose...), "version", "--short")...)
	if err != nil {
		return "a Docker Compose of unknown version"
	}
	return "Docker Compose " + version
}

func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644) //nolint:gosec // nothing secret
}
