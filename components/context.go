package components

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/config"
)

// unreadableShown is how many files a warning names.
const unreadableShown = 3

// warnUnreadable tells which files of the application its user will not be able to
// read: an image is built by root, which reads everything, and code that is mounted
// keeps its permissions.
func (p *platform) warnUnreadable(build buildcontext.Build) error {
	files, err := build.Unreadable()
	if err != nil || len(files) == 0 {
		return err
	}
	shown := strings.Join(files[:min(len(files), unreadableShown)], ", ")
	if more := len(files) - unreadableShown; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return p.ctx.Log.Warn(fmt.Sprintf("the application runs as the user %s (%s:backend.user), which may not read %s in %s: "+
		"`chmod -R go+rX %s` mends that. A checkout with the umask 077 is such a case. (Where the Dockerfile gives these files to that user, all is well.)",
		p.Config.Backend.User, config.Namespace, shown, build.Context, build.Context), nil)
}

// warnHidden tells what the image names below the code's folder, and the folder that
// is mounted there doesn't have: a virtual environment, say, that the image was built
// with.
func (p *platform) warnHidden(image *Image) {
	folder := p.Config.Backend.Context
	pulumi.All(image.Start, image.Health, image.Environment).ApplyT(func(all []any) int {
		var words []string
		for _, said := range all {
			words = append(words, said.([]string)...)
		}
		if hidden := hiddenBy(folder, words); len(hidden) > 0 {
			_ = p.ctx.Log.Warn(fmt.Sprintf("%s is named by the image and hidden in the container: %s:backend.mountCode mounts %s at %s, and it is not in there. "+
				"Put a virtual environment outside of %s in the Dockerfile, such as at /venv, or set mountCode to false",
				strings.Join(hidden, ", "), config.Namespace, folder, appDir, appDir), nil)
		}
		return 0
	})
}

// hiddenBy are the paths below the application's folder that the words name, and the
// folder, in its place, does not have. Volumes have places of their own.
func hiddenBy(folder string, words []string) []string {
	var hidden []string
	for _, word := range words {
		for _, name := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(" \t\n:=\"';&|()", r) }) {
			inside, below := strings.CutPrefix(path.Clean(name), appDir+"/")
			if !below || slices.ContainsFunc([]string{dataDir, staticDir, logsDir}, func(volume string) bool { return strings.HasPrefix(path.Clean(name)+"/", volume+"/") }) {
				continue
			}
			if _, err := os.Lstat(filepath.Join(folder, filepath.FromSlash(inside))); os.IsNotExist(err) && !slices.Contains(hidden, path.Clean(name)) {
				hidden = append(hidden, path.Clean(name))
			}
		}
	}
	return hidden
}
