package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// look is the preview of a stack against what runs, where that is known, and else against an empty
// state. That it is known and can't be used is told.
func (w *workspace) look(ctx context.Context, root, stack string) said {
	running, err := readRunning(filepath.Join(root, StateFolder, stack+".json"), stack)
	if errors.Is(err, fs.ErrNotExist) {
		return w.preview(ctx, stack)
	}
	if err == nil {
		var from plan
		if from, err = planOfCommit(ctx, root, running); err == nil {
			return w.against(ctx, running, from)
		}
	}
	s := w.preview(ctx, stack)
	s.instead = fmt.Sprintf("What this changes in what runs can't be told: %v", err)
	return s
}

// against previews this project on what runs.
func (w *workspace) against(ctx context.Context, running Running, from plan) said {
	to, err := w.plan(ctx, running)
	if err != nil {
		return said{messages: tidy(err.Error()+"\n", w.dir, w.project), code: 1}
	}
	c := compare(running, from, to)
	return said{against: &c}
}

func readRunning(file, stack string) (Running, error) {
	var running Running
	text, err := os.ReadFile(file)
	if err != nil {
		return running, err
	}
	if err := json.Unmarshal(text, &running); err != nil {
		return running, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	if running.Stack != stack || !commitName.MatchString(running.Commit) {
		return running, fmt.Errorf("%s is of stack %q at commit %q", filepath.Base(file), running.Stack, running.Commit)
	}
	return running, nil
}

var commitName = regexp.MustCompile(`^[0-9a-f]{40,64}$`)

// planOfCommit is what the project of the commit that runs would do to what runs: nothing but what
// comes of the stand-ins for its secrets, which this project's own plan has, too.
func planOfCommit(ctx context.Context, root string, running Running) (plan, error) {
	w, err := newWorkspace(func(to string) error { return copyCommit(ctx, root, running.Commit, to) })
	if err != nil {
		return plan{}, err
	}
	defer w.close()
	p, err := w.plan(ctx, running)
	if err != nil {
		err = fmt.Errorf("the preview of %s, which runs: %s", short(running.Commit), tidy(err.Error(), w.dir, w.project))
	}
	return p, err
}

func copyCommit(ctx context.Context, root, commit, to string) error {
	archive := exec.CommandContext(ctx, "git", "archive", "--format=tar", commit)
	archive.Dir = root
	unpack := exec.CommandContext(ctx, "tar", "-x", "-C", to)
	var said, also bytes.Buffer
	archive.Stderr, unpack.Stderr = &said, &also
	pipe, err := archive.StdoutPipe()
	if err != nil {
		return err
	}
	unpack.Stdin = pipe
	if err := unpack.Start(); err != nil {
		return err
	}
	err = archive.Run()
	if waited := unpack.Wait(); err == nil {
		err = waited
	}
	if err != nil {
		return fmt.Errorf("the commit %s, which runs, is not in this clone: git archive: %w: %s", short(commit), err, strings.TrimSpace(said.String()+also.String()))
	}
	return nil
}

// plan is what the project in this folder would do to what runs.
func (w *workspace) plan(ctx context.Context, running Running) (plan, error) {
	var errs bytes.Buffer
	why := func(err error) error { return fmt.Errorf("%s%w", errs.String(), err) }
	if err := w.begin(ctx, running.Stack, &errs); err != nil {
		return plan{}, why(err)
	}
	file, err := w.state(running)
	if err != nil {
		return plan{}, err
	}
	if err := w.quietly(ctx, &errs, "stack", "import", "--stack", running.Stack, "--file", file); err != nil {
		return plan{}, why(err)
	}
	var out bytes.Buffer
	// All that is secret is a stand-in here.
	failed := w.pulumi(ctx, &out, &errs, "preview", "--stack", running.Stack, "--json", "--show-secrets", "--save-plan", w.saved())
	saved, err := os.ReadFile(w.saved())
	if err != nil && failed == nil {
		return plan{}, err
	}
	p, err := planOf(running.State, out.Bytes(), saved)
	switch {
	case failed != nil && len(p.errors) > 0:
		return p, errors.New(strings.Join(p.errors, "\n"))
	case failed != nil:
		return p, why(failed)
	}
	return p, err
}

func (w *workspace) saved() string { return filepath.Join(w.dir, "plan.json") }

// state is a file with what runs, as this workspace's stack can read it.
func (w *workspace) state(running Running) (string, error) {
	text, err := os.ReadFile(filepath.Join(w.project, "Pulumi."+running.Stack+".yaml"))
	if err != nil {
		return "", err
	}
	var file struct {
		Salt string `yaml:"encryptionsalt"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return "", err
	}
	var document map[string]any
	if err := json.Unmarshal(running.State, &document); err != nil {
		return "", err
	}
	deployment, is := document["deployment"].(map[string]any)
	if !is {
		return "", errors.New("there is no deployment in what runs")
	}
	deployment["secrets_providers"] = map[string]any{"type": "passphrase", "state": map[string]any{"salt": file.Salt}}
	data, err := json.Marshal(document)
	if err != nil {
		return "", err
	}
	name := filepath.Join(w.dir, "running.json")
	return name, os.WriteFile(name, data, 0o600)
}
