package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tarot-platform/internal/config"
)

// Path is where a stack's file is, in the folder of the Pulumi project.
func Path(folder, stack string) string { return filepath.Join(folder, "Pulumi."+stack+".yaml") }

// Write writes the stack file, all of it or none, and never over one that is there.
func (r Result) Write(path string, files []string) (err error) {
	text, err := r.Config.StackFile(config.SchemaLine + "\n# Made of " + strings.Join(files, " and ") + " by `stack import`: docs/coming-from-compose.md. What the keys mean\n# and what is allowed: docs/configuration.md")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".import-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.Write(text)
	if err := errors.Join(err, file.Chmod(readable), file.Sync(), file.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link is refused where there is a file.
	if err := os.Link(file.Name(), path); errors.Is(err, fs.ErrExist) {
		return Refusal(path)
	} else if err != nil {
		return err
	}
	return nil
}

// readable is what other files of the project are: there are no secrets in it.
const readable = 0o644

// Refusal is what is said of a stack file that is there already.
func Refusal(path string) error {
	return fmt.Errorf("%s is there, and is not written over: import by the name of a stack that there is none of, or remove it first", path)
}
