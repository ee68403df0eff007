package compose

import (
	"fmt"
	"path/filepath"
	"strings"

	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
)

// Told is what a person is told of an import: where all has gone, what did not come along and
// the commands for what is left to do.
type Told struct {
	Result
	// Stack is its name, and File the file that was written.
	Stack, File string
	// Again is the command of this import, but for the flag that shows a secret.
	Again string
	// Files are Compose's.
	Files []string
}

// Print tells it.
func (t Told) Print(to console.Console) {
	to.Step("%s is written", filepath.Base(t.File))
	for _, b := range t.Became {
		to.OK("%s: %s", b.Service, b.As)
	}
	if len(t.Missed) > 0 {
		to.Step("Not taken over as it was")
	}
	for _, line := range t.Missed {
		text := line.Key + ": " + line.Why
		if line.Mend != "" {
			text += "; " + line.Mend
		}
		to.Warn("%s", text)
	}
	to.Step("Different for every container")
	to.Note("It runs as %s where nothing else is written, on a read-only root file system: folders that it writes to are volumes,", t.Config.Backend.User)
	to.Note("or in memory (tmpfs). Each has the most CPU and memory that the stack file says, by default too.")
	t.printData(to)
	to.Step("What is left to do")
	to.Note("pulumi stack init %s", t.Stack)
	for _, s := range t.Secrets {
		to.Note("%s --secret %s | pulumi config set -s %s --secret %s:%[2]s   # %[5]s", t.Again, s.Name, t.Stack, config.Namespace, s.From)
	}
	to.Note("pulumi preview -s %s", t.Stack)
	to.Note("pulumi up -s %s   # while Compose has the ports and the data: docs/coming-from-compose.md", t.Stack)
}

func (t Told) printData(to console.Console) {
	if len(t.Data) == 0 {
		return
	}
	to.Step("Data, with Compose's containers stopped: docker compose -f %s stop (and never `down -v`, which removes them)", strings.Join(t.Files, " -f "))
	for _, d := range t.Data {
		if d.From == d.To {
			to.Note("%s (%s) is used as it is, and has to belong to %s:", d.From, d.Path, d.User)
			to.Note("  docker run --rm -v %s:/data alpine chown -R %s /data", d.From, d.User)
			continue
		}
		to.Note("%s is copied to %s (%s), before the first up:", d.From, d.To, d.Path)
		to.Note("  %s", d.Copy())
	}
}

// Copy is the command that brings data over, and leaves them where they are.
func (d Data) Copy() string {
	from := quoted(d.From)
	if strings.HasPrefix(d.From, ".") { // a folder, which the engine wants from the root on
		from = `"$PWD"/` + quoted(strings.TrimPrefix(d.From, "./"))
	}
	return fmt.Sprintf("docker run --rm -v %s:/from:ro -v %s:/to alpine sh -c 'cp -a /from/. /to/ && chown -R %s /to'", from, d.To, d.User)
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if strings.ContainsAny(word, " '\"$`\\&;()<>|*?") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
