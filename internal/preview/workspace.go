package preview

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/stackfile"
)

// stand-in for a secret: as long as any has to be.
const placeholder = "a-placeholder-as-long-as-any-secret-has-to-be"

// grace is how long Pulumi may take to end after it was interrupted.
const grace = 10 * time.Second

// workspace is a temporary folder with a copy of the project, and an empty state.
type workspace struct {
	dir, project string
	env          []string
}

// newWorkspace is one with what fill puts into its project.
func newWorkspace(fill func(project string) error) (*workspace, error) {
	dir, err := os.MkdirTemp("", "tarot-preview-")
	if err != nil {
		return nil, err
	}
	w := &workspace{dir: dir}
	if err := w.fill(fill); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *workspace) close() { _ = os.RemoveAll(w.dir) }

func (w *workspace) fill(project func(to string) error) (err error) {
	// Pulumi names the folder as the kernel does, which is how tidy finds it.
	if w.dir, err = filepath.EvalSymlinks(w.dir); err != nil {
		return err
	}
	w.project = filepath.Join(w.dir, "project")
	state := filepath.Join(w.dir, "state")
	for _, dir := range []string{w.project, state} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	w.env = environment(os.Environ(), state)
	return project(w.project)
}

// environment is one with this state, a passphrase that nobody knows, and nothing of
// whoever runs it.
func environment(of []string, state string) []string {
	foreign := []string{"PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_ACCESS_TOKEN", "PULUMI_STACK"}
	own := slices.DeleteFunc(slices.Clone(of), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(foreign, name)
	})
	return append(own, "PULUMI_BACKEND_URL=file://"+state, "PULUMI_CONFIG_PASSPHRASE="+rand.Text(), "PULUMI_SKIP_UPDATE_CHECK=true")
}

// copyProject copies what git has or would have.
func copyProject(ctx context.Context, root, to string) error {
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	var errs strings.Builder
	list.Stderr = &errs
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	names := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	slices.Sort(names) // a file with a conflict is listed once for each side
	for _, name := range slices.Compact(names) {
		if err := copyFile(root, to, name); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(root, target, name string) error {
	from, to := filepath.Join(root, name), filepath.Join(target, name)
	info, err := os.Lstat(from)
	if os.IsNotExist(err) {
		return nil // git has it, and it was removed here
	}
	if err != nil {
		return err
	}
	if info.IsDir() { // another repository
		return os.CopyFS(to, os.DirFS(from))
	}
	if err := copyFolder(root, target, filepath.Dir(name)); err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode().Perm()) // whatever the umask is
}

// copyFolder makes a folder, with the permissions that it has: what everybody may read is
// part of an image's hash.
func copyFolder(root, target, name string) error {
	if name == "." {
		return nil
	}
	if err := copyFolder(root, target, filepath.Dir(name)); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(root, name))
	if err != nil {
		return err
	}
	folder := filepath.Join(target, name)
	if err := os.Mkdir(folder, 0o700); os.IsExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	return os.Chmod(folder, info.Mode().Perm()|0o700)
}

// preview makes a new stack, with placeholders for its secrets, and asks for its preview.
func (w *workspace) preview(ctx context.Context, stack string) said {
	var out, errs bytes.Buffer
	code := 0
	if err := w.ask(ctx, stack, &out, &errs); err != nil {
		code = 1
		var exit *exec.ExitError
		if errors.As(err, &exit) { // it has said why
			code = exit.ExitCode()
		} else {
			fmt.Fprintln(&errs, err)
		}
	}
	return said{text: tidy(out.String(), w.dir, w.project), messages: tidy(errs.String(), w.dir, w.project), code: code}
}

func (w *workspace) ask(ctx context.Context, stack string, out, errs io.Writer) error {
	if err := w.begin(ctx, stack, errs); err != nil {
		return err
	}
	return w.pulumi(ctx, out, errs, "preview", "--stack", stack, "--diff", "--color", "never")
}

// begin makes the stack, with placeholders for its secrets.
func (w *workspace) begin(ctx context.Context, stack string, errs io.Writer) error {
	paths, err := w.forget(stack)
	if err != nil {
		return err
	}
	if err := w.quietly(ctx, errs, "stack", "init", stack, "--no-select", "--secrets-provider", "passphrase"); err != nil {
		return err
	}
	for _, path := range paths {
		if err := w.quietly(ctx, errs, append([]string{"config", "set", "--stack", stack}, replacement(path)...)...); err != nil {
			return err
		}
	}
	return nil
}

// forget takes the salt, and every value that was encrypted with it, out of the stack's
// file, and returns where these were.
func (w *workspace) forget(stack string) ([]string, error) {
	name := "Pulumi." + stack + ".yaml"
	file := filepath.Join(w.project, name)
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("there is no %s", name)
	}
	if err != nil {
		return nil, err
	}
	rest, paths, err := stackfile.Forget(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return paths, os.WriteFile(file, rest, 0o600)
}

// replacement is what `pulumi config set` is told of a secret that was at the path.
func replacement(path string) []string {
	switch {
	case strings.HasPrefix(path, "tarot:tls"): // no placeholder is a key that fits a certificate
		return []string{"--path", "tarot:nginx.tls.mode", "selfSigned"}
	case path == "tarot:databaseUrl":
		return []string{"--secret", path, "postgresql://" + placeholder + "/db"}
	}
	// One inside an object is none for the program, which says so.
	return []string{"--secret", "--path", path, placeholder}
}

// quietly runs Pulumi, heard only when it fails.
func (w *workspace) quietly(ctx context.Context, errs io.Writer, args ...string) error {
	var both bytes.Buffer
	err := w.pulumi(ctx, &both, &both, args...)
	if err != nil {
		_, _ = both.WriteTo(errs)
	}
	return err
}

func (w *workspace) pulumi(ctx context.Context, out, errs io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "pulumi", append(args, "--cwd", w.project, "--non-interactive")...)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, out, errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = grace
	return cmd.Run()
}
