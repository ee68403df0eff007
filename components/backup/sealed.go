package backup

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	sealing "tarot-platform/internal/backup/seal"
)

// What the state, and the name of the release, are called in the volume, and so in each nightly
// backup.
const (
	sealedFile  = "state.sealed"
	releaseFile = "release"
)

// Sealed is what the stack can be made of again on another machine, readable with the key of the
// backups alone: the stack's file, the release, and those of the secrets that were generated, by
// the keys under which the configuration takes them.
type Sealed struct {
	Project, Stack string
	// Release and Image are the release's, and Images those of services with one of their own.
	Release, Image string
	Images         map[string]string
	// File is the stack's, without secrets, and Secrets are by their keys.
	File    string
	Secrets map[string]string
}

// generated are the secrets that have a key in the configuration, as far as the user has given none
// and the stack has a use for them. The key of the backups is not among them: it opens this.
func generated(c part.Context) []string {
	names := []string{"jwtSecretKey", "adminPassword"}
	if c.Monitoring.Enabled && c.Monitoring.Grafana.Enabled {
		names = append(names, "grafanaPassword")
	}
	if c.Cache.Enabled {
		names = append(names, "cachePassword")
	}
	return slices.DeleteFunc(names, func(name string) bool { return c.Secrets[name] != "" })
}

// sealed is the state as a text. What is the same is the same again.
func sealed(c part.Context) part.Text {
	names := generated(c)
	return part.Made(append([]string{key}, names...), nil, func(later part.Later) (string, error) {
		file, err := c.StackFile("")
		if err != nil {
			return "", fmt.Errorf("the stack's file: %w", err)
		}
		state := Sealed{Project: c.Project, Stack: c.Stack, Release: c.Release.Name, Image: c.Release.Image, Images: c.Release.Images, File: string(file), Secrets: map[string]string{}}
		for _, name := range names {
			state.Secrets[name] = later.Secrets[name]
		}
		plain, err := json.Marshal(state)
		if err != nil {
			return "", err
		}
		return string(sealing.Seal(later.Secrets[key], plain)), nil
	})
}

// seal puts it where the nightly backup finds it, once users have the release.
func seal(c part.Context) part.Job {
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    sealer,
				Command: []string{"/backup", "keep", workload.ConfigDir, stateFolder, sealedFile, releaseFile},
				Limits:  workload.Limits{Memory: 32 << 20},
				Logging: c.Log(sealer),
				User:    c.Backend.User,
			},
			Image:  publisher,
			Files:  []part.File{{Name: sealedFile, Text: sealed(c)}, {Name: releaseFile, Text: part.Plain(c.Release.Name + "\n")}},
			Mounts: []part.Mount{volume(stateVolume, stateFolder, false)},
			After:  []string{owner},
		},
		When:   part.Follows,
		Within: time.Minute,
	}
}
