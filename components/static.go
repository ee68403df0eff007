package components

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
	"time"

	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
)

// publishTime is how long static files may take to be copied.
const publishTime = 5 * time.Minute

// staticFolder is a release's folder in the static volume, and so in its files'
// addresses: the last part of its image's name where that is a hash already.
func staticFolder(image string) string {
	if _, tag, ok := strings.Cut(image, ":"); ok && len(tag) == 16 {
		if _, err := hex.DecodeString(tag); err == nil {
			return "r/" + tag
		}
	}
	sum := sha256.Sum256([]byte(image))
	return "r/" + hex.EncodeToString(sum[:8])
}

// The scripts run in the static volume, with the image's static folder as STATIC. What
// they published is known by its content, from a list beside the releases' folders:
// anything else in there was written by the application, and is neither removed nor
// written over.
//
// The volume is mounted at the data folder, which the contract says is empty and
// belongs to the application's user: that is what an empty volume takes over,
// and the static folder stays visible as the source.
var (
	//go:embed static_list.sh
	listScript string
	//go:embed static_publish.sh
	publishScript string
	//go:embed static_activate.sh
	activateScript string
)

// publishStatic puts a release's static files beside those of the earlier ones,
// before its replicas start.
func (p *platform) publishStatic(image *Image, storage *Storage) (*runtime.Started, error) {
	return p.staticTask("publish-static", publishScript, image, storage, staticFolder(image.Reference))
}

// activateStatic follows when the release runs. The earlier ones are those that
// can be returned to.
func (p *platform) activateStatic(image *Image, storage *Storage, earlier []string) error {
	folders := []string{staticFolder(image.Reference)}
	for _, other := range earlier {
		folders = append(folders, staticFolder(other))
	}
	task, err := p.staticTask("activate-static", activateScript, image, storage, folders...)
	if err != nil {
		return err
	}
	return task.Await()
}

func (p *platform) staticTask(name, script string, image *Image, storage *Storage, args ...string) (*runtime.Started, error) {
	return runtime.Once(p.ctx, p.stack, runtime.Task{
		Workload: workload.Workload{
			Name:        name,
			Image:       image.Image,
			Command:     append([]string{"/bin/sh", "-c", listScript + script, name}, args...),
			Environment: map[string]string{"VOLUME": dataDir, "STATIC": staticDir},
			Mounts:      []workload.Mount{{Kind: workload.Volume, Source: storage.Static, Target: dataDir}},
			Limits:      workload.Limits{Memory: int64(p.Config.Backend.Memory)},
			Logging:     logging(p.Config.Logging, name),
			User:        p.Config.Backend.User,
		},
		Within: publishTime,
		Told:   "kept: ",
	}, p.Platform)
}
