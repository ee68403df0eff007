package nginx

import (
	"bytes"
	"strings"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/config"
)

// Name is the workload that has the maintenance page.
const Name = name

// Page is how the maintenance page is shown and taken away while nothing else of the stack changes.
type Page struct {
	// Show and Hide are commands in nginx's container. What they do is seen at once, by all
	// requests that follow, and gone when nginx starts again.
	Show, Hide []string
	// Keep and Forget are commands in a container of nginx's image that may write to the volume of
	// the configuration. They have one that starts again do the same, and a reload.
	Keep, Forget []string
	// Volume is the engine's name of that, and Folder is where it is in both containers.
	Volume, Folder string
	// Shown is a command in nginx's container that says closed or open.
	Shown []string
}

// The line of the configuration that the page hangs on, as nginx.conf.tmpl has it without
// maintenance and with it.
const (
	openLine   = `set $closed "$shut";`
	closedLine = `set $closed "${shut}closed";`
)

// PageOf is a stack's, by what its names begin with.
func PageOf(stack string) Page {
	const file = folder + "/current/nginx.conf"
	return Page{
		Show: []string{"touch", assets.ClosedFile}, Hide: []string{"rm", "-f", assets.ClosedFile},
		Keep: edit(openLine, closedLine), Forget: edit(closedLine, openLine),
		Volume: stack + "-" + configuration, Folder: folder,
		Shown: []string{"/bin/sh", "-c", "if [ -e " + assets.ClosedFile + " ] || grep -qF '" + closedLine + "' " + file + "; then echo closed; else echo open; fi"},
	}
}

// Installed is the job that puts nginx's configuration into a volume, the folder where that is, and the
// file beside it that the job makes itself.
func Installed() (job, in string, own []string) {
	return configuration, folder, []string{assets.GroupsFile}
}

// Opened is a file of the configuration without what the page changes in it.
func Opened(content []byte) []byte {
	return bytes.ReplaceAll(content, []byte(closedLine), []byte(openLine))
}

// edit puts one line in the place of another, at once: nginx may be started at any moment.
func edit(from, to string) []string {
	const file = folder + "/current/nginx.conf"
	quoted := strings.NewReplacer("$", `\$`, "{", `{`, "*", `\*`, ".", `\.`).Replace
	return []string{"/bin/sh", "-c", "set -e\nsed 's|" + quoted(from) + "|" + to + "|' " + file + " >" + file + ".new\nmv " + file + ".new " + file}
}

// MaintenanceKey is the stack file's own switch.
const MaintenanceKey = config.Namespace + ":maintenance"
