// Package preview writes what `pulumi preview` says of stacks as the comment on a pull
// request.
//
// It needs no account and no secrets: the state is one in a temporary folder, and secrets in the
// stack files are replaced. Where main's pipeline has handed over what runs (Export), the state is
// that, without its secrets: the commit that runs and this project are both previewed on it, and
// what differs is what a deploy changes. Otherwise the state is empty, and everything is to be
// created. It works on a copy, because Pulumi writes into the stack files.
package preview

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tarot-platform/internal/console"
)

// Write previews the stacks of the project in root, and writes the comment to file. Of is
// what was looked at (a commit), and may be empty. A preview that fails is in the comment,
// too, and is an error afterwards: a console.Failure.
func Write(ctx context.Context, root, file string, stacks []string, of string, say console.Console) error {
	if _, err := exec.LookPath("pulumi"); err != nil {
		return console.Failure{What: "there is no pulumi on the PATH", More: []string{"make pulumi"}}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a folder in the project
		return err
	}
	// What an earlier run wrote is not what this one found.
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return err
	}
	say.Step("Preview")
	w, err := newWorkspace(func(to string) error { return copyProject(ctx, root, to) })
	if err != nil {
		return err
	}
	defer w.close()
	text, failed := comment(stacks, of, func(stack string) said { return w.look(ctx, root, stack) }, say)
	if err := ctx.Err(); err != nil { // what it interrupted has not failed
		return err
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // no secret is in it
		return err
	}
	say.OK("%s: %d bytes", file, len(text))
	if len(failed) > 0 {
		return console.Failure{What: "the preview failed: " + strings.Join(failed, " ")}
	}
	return nil
}
