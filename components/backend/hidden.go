package backend

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/internal/config"
)

// warnHidden tells what the image names below the code's folder, and the folder that
// is mounted there doesn't have: a virtual environment, say, that the image was built
// with. Empty: nothing.
func warnHidden(c part.Context, words []string) string {
	folder, place := c.Backend.Context, c.Backend.WorkingDir
	var volumes []string
	for _, v := range storage.Volumes(c) {
		volumes = append(volumes, v.Path)
	}
	hidden := hiddenBy(folder, place, volumes, words)
	if len(hidden) == 0 {
		return ""
	}
	return fmt.Sprintf("%s is named by the image and hidden in the container: %s:backend.mountCode mounts %s at %s, and it is not in there. "+
		"Put a virtual environment outside of %s in the Dockerfile, such as at /venv, or set mountCode to false",
		strings.Join(hidden, ", "), config.Namespace, folder, place, place)
}

// hiddenBy are the paths below the application's folder that the words name, and the
// folder, in its place, does not have. Volumes have places of their own.
func hiddenBy(folder, place string, volumes, words []string) []string {
	var hidden []string
	for _, word := range words {
		for _, name := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(" \t\n:=\"';&|()", r) }) {
			inside, below := strings.CutPrefix(path.Clean(name), place+"/")
			if !below || slices.ContainsFunc(volumes, func(volume string) bool { return strings.HasPrefix(path.Clean(name)+"/", volume+"/") }) {
				continue
			}
			if _, err := os.Lstat(filepath.Join(folder, filepath.FromSlash(inside))); os.IsNotExist(err) && !slices.Contains(hidden, path.Clean(name)) {
				hidden = append(hidden, path.Clean(name))
			}
		}
	}
	return hidden
}
