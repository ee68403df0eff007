package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// What several stacks do with the images of one engine at a time is kept apart by two
// kinds of empty volumes, which every engine has (docs/adr/0010):
//
//   - each `up` has a claim on the images that it deploys, from before it looks whether
//     they are there until its release is recorded;
//   - who removes images has the lock, of which there is one.
//
// Who claims waits for the lock to be free; who has the lock spares what is claimed.
// So whoever comes second sees the first. A volume of a name is made once, whoever asks:
// the second one is given the first's. Nothing is lost where one of the processes is
// killed: a claim spares one image until the stack's next `up`, and a lock is taken over
// when it is staleLock old.
const (
	claimLabel = "tarot.claim"
	lockLabel  = "tarot.lock"
	ownerLabel = "tarot.owner"
	lockName   = "tarot-images-lock"

	// staleLock is far more than a removal takes.
	staleLock = 5 * time.Minute
	// staleClaim is more than any `up` takes.
	staleClaim = 24 * time.Hour
)

// Who is who runs this program, for a person to read.
func Who() string {
	name := "somebody"
	if me, err := user.Current(); err == nil {
		name = me.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

func claimName(prefix string) string { return prefix + "-claim" }

// Claim has images spared by everybody's clean-up until it is released. It waits for
// a clean-up that is going on.
func (e *Engine) Claim(ctx context.Context, prefix string, images ...string) (release func() error, err error) {
	name, image := claimName(prefix), strings.Join(images, " ")
	if err := e.removeVolume(ctx, name); err != nil { // an `up` that was killed has left it
		return nil, fmt.Errorf("claim on image %s: %w", image, err)
	}
	labels := map[string]string{StackLabel: prefix, claimLabel: image, ownerLabel: Who()}
	if _, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels}); err != nil {
		return nil, fmt.Errorf("claim on image %s: %w", image, err)
	}
	var holder error
	err = poll(ctx, 2*staleLock, func(ctx context.Context) (bool, error) {
		now, err := e.api.VolumeInspect(ctx, lockName)
		switch {
		case errdefs.IsNotFound(err):
			return true, nil
		case err == nil && e.stale(now, staleLock):
			err = e.removeVolume(ctx, lockName)
		case err == nil:
			holder = lockedBy(now)
		}
		return false, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("claim on image %s: %w", image, err), holder, e.removeVolume(context.WithoutCancel(ctx), name))
	}
	return func() error { return e.removeVolume(context.WithoutCancel(ctx), name) }, nil
}

// Claimed is true where an `up` of the stack is going on, or was killed.
func (e *Engine) Claimed(ctx context.Context, prefix string) (bool, error) {
	_, err := e.api.VolumeInspect(ctx, claimName(prefix))
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Unclaim takes back the claim of an `up` that is over.
func (e *Engine) Unclaim(ctx context.Context, prefix string) error {
	return e.removeVolume(ctx, claimName(prefix))
}

// claimed are the images that are being deployed.
func (e *Engine) claimed(ctx context.Context) ([]string, error) {
	found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", claimLabel))})
	if err != nil {
		return nil, fmt.Errorf("what is being deployed: %w", err)
	}
	var images []string
	for _, v := range found.Volumes {
		if !e.stale(*v, staleClaim) {
			images = append(images, strings.Fields(v.Labels[claimLabel])...)
		}
	}
	return images, nil
}

// imagesLock is the lock of who removes images.
type imagesLock struct {
	e     *Engine
	owner string
}

// lockImages takes the lock, or says who has it.
func (e *Engine) lockImages(ctx context.Context, prefix string) (*imagesLock, error) {
	lock := &imagesLock{e, Who() + " for " + prefix + ", process " + strconv.Itoa(os.Getpid()) + " since " + time.Now().UTC().Format(time.RFC3339Nano)}
	for again := false; ; again = true {
		made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: lockName, Labels: map[string]string{lockLabel: "images", ownerLabel: lock.owner}})
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", lockName, err)
		}
		if made.Labels[ownerLabel] == lock.owner {
			return lock, nil
		}
		if again || !e.stale(made, staleLock) {
			return nil, lockedBy(made)
		}
		if err := e.removeVolume(ctx, lockName); err != nil {
			return nil, err
		}
	}
}

// held is an error where somebody has taken the lock over.
func (l *imagesLock) held(ctx context.Context) error {
	now, err := l.e.api.VolumeInspect(ctx, lockName)
	if err == nil && now.Labels[ownerLabel] != l.owner {
		err = lockedBy(now)
	}
	return err
}

func (l *imagesLock) release(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := l.held(ctx); err != nil {
		return err
	}
	return l.e.removeVolume(ctx, lockName)
}

func lockedBy(v volume.Volume) error {
	return fmt.Errorf("images are being removed on this engine by %s; that takes seconds. "+
		"Where that process is dead, `docker volume rm %s` frees the lock; so does time, after %s", v.Labels[ownerLabel], lockName, staleLock)
}

// stale is true for a volume that is older, by the engine's clock.
func (e *Engine) stale(v volume.Volume, than time.Duration) bool {
	created, err := time.Parse(time.RFC3339, v.CreatedAt)
	return err == nil && e.since(created) > than
}

func (e *Engine) removeVolume(ctx context.Context, name string) error {
	if err := e.api.VolumeRemove(ctx, name, false); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	return nil
}

// since is how long ago something was by the engine's clock, which need not be ours.
func (e *Engine) since(then time.Time) time.Duration {
	now := time.Now()
	if there, err := time.Parse(time.RFC3339Nano, e.Info.SystemTime); err == nil {
		now = there.Add(now.Sub(e.opened))
	}
	return now.Sub(then)
}
