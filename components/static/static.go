// Package static is the part that publishes a release's static files, for nginx to serve.
package static

import (
	"crypto/sha256"
	_ "embed" // the scripts
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
)

// within is how long static files may take to be copied.
const within = 5 * time.Minute

// The scripts run in the static volume, with the image's static folder as STATIC. What
// they published is known by its content, from a list beside the releases' folders:
// anything else in there was written by the application, and is neither removed nor
// written over.
//
// The volume is mounted where no image has anything, and the static folder stays visible as
// the source.
var (
	//go:embed list.sh
	listScript string
	//go:embed publish.sh
	publishScript string
	//go:embed activate.sh
	activateScript string
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return "static" }

// Spec implements part.Part. Without a volume, the application serves its own files.
func (Part) Spec(c part.Context) (part.Spec, error) {
	folder, url := Published(c)
	s := part.Spec{Needs: []string{storage.Part{}.Name()}, Application: []part.Variable{{Name: "STATIC_DIR", Value: c.Backend.StaticFolder() + folder}, {Name: "STATIC_URL", Value: url}}}
	if c.Volumes.Static == "" {
		return s, nil
	}
	folders := []string{Folder(c.Release.Image)}
	for _, earlier := range c.Release.Earlier {
		folders = append(folders, Folder(earlier))
	}
	publish := job(c, "publish-static", publishScript, folders[0])
	activate := job(c, "activate-static", activateScript, folders...)
	activate.When = part.Follows
	s.Jobs = []part.Job{publish, activate}
	return s, nil
}

// Published is the folder of the release's files below the static folder, and the path that
// they are asked for by.
func Published(c part.Context) (folder, path string) {
	if c.Volumes.Static != "" {
		folder = "/" + Folder(c.Release.Image)
	}
	return folder, c.Backend.Paths.Static + folder
}

// Folder is a release's folder in the static volume, and so in its files'
// addresses: the last part of its image's name where that is a hash already.
func Folder(image string) string {
	if _, tag, ok := strings.Cut(image, ":"); ok && len(tag) == 16 {
		if _, err := hex.DecodeString(tag); err == nil {
			return "r/" + tag
		}
	}
	sum := sha256.Sum256([]byte(image))
	return "r/" + hex.EncodeToString(sum[:8])
}

func job(c part.Context, name, script string, folders ...string) part.Job {
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:        name,
				Command:     slices.Concat([]string{"/bin/sh", "-c", listScript + script, name}, folders),
				Environment: map[string]string{"VOLUME": storage.Place("static"), "STATIC": c.Backend.StaticFolder()},
				Limits:      workload.Limits{Memory: int64(c.Backend.Memory)},
				Logging:     c.Log(name),
				User:        c.Backend.User,
			},
			Image:  "backend",
			Mounts: []part.Mount{{Kind: workload.Volume, Source: "static", Target: storage.Place("static")}},
			After:  storage.Jobs(c),
		},
		Within: within,
		Warns:  "kept: ",
	}
}
