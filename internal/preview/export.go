package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tarot-platform/internal/console"
	"tarot-platform/internal/state"
)

// StateFolder is where what runs is, for a preview to be held against: a file for each stack.
const StateFolder = "build/preview-state"

// Running is what runs, without a secret: what main's pipeline hands to previews.
type Running struct {
	Stack string `json:"stack"`
	// Commit is what was deployed, and Deployed when.
	Commit   string    `json:"commit"`
	Deployed time.Time `json:"deployed"`
	// Pinned is the release that somebody has returned to; empty: what the commit says runs.
	Pinned string `json:"pinned,omitempty"`
	// State is Pulumi's, with a stand-in for each secret.
	State json.RawMessage `json:"state"`
}

// How Pulumi marks a secret in a state.
const (
	signature   = "4dabf18193072939515e22adb298388d"
	secretValue = "1b47061264138c4ac30d75fd1eb44270"
)

// Export writes what the stack is now, of this commit, to a file of the folder. The secrets of the
// state are read, so that it can be said that none of them is in what is written.
func Export(ctx context.Context, root, stack, folder string, say console.Console) error {
	full, err := state.Ask(ctx, "stack", "export", "--stack", stack, "--show-secrets")
	if err != nil {
		return err
	}
	open, err := withoutSecrets(full)
	if err != nil {
		return err
	}
	commit := exec.CommandContext(ctx, "git", "rev-parse", "HEAD")
	commit.Dir = root
	of, err := commit.Output()
	if err != nil {
		return fmt.Errorf("which commit this is can't be told: git rev-parse HEAD: %w", err)
	}
	var outputs struct {
		Pinned  bool
		Release string
	}
	if out, err := state.Ask(ctx, "stack", "output", "--stack", stack, "--json"); err != nil {
		return err
	} else if err := json.Unmarshal(out, &outputs); err != nil {
		return fmt.Errorf("pulumi stack output: %w", err)
	}
	running := Running{Stack: stack, Commit: strings.TrimSpace(string(of)), Deployed: time.Now().UTC().Truncate(time.Second), State: open}
	if outputs.Pinned {
		running.Pinned = outputs.Release
	}
	text, err := json.Marshal(running)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // a folder in the project
		return err
	}
	file := filepath.Join(folder, stack+".json")
	if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // no secret is in it
		return err
	}
	say.OK("%s: what runs as %s, without its secrets, %d bytes", file, stack, len(text))
	return nil
}

// shortest is a secret that is found by chance in no state.
const shortest = 12

// hexadecimal is a secret that is read as one: a stand-in has to be, too.
var hexadecimal = regexp.MustCompile(`^([0-9a-f]{2}){8,}$`)

// withoutSecrets is an exported state with a stand-in in place of each text that is secret. A state
// in which one of them is found all the same is an error.
func withoutSecrets(full []byte) (json.RawMessage, error) {
	var document map[string]any
	if err := json.Unmarshal(full, &document); err != nil {
		return nil, fmt.Errorf("pulumi stack export: %w", err)
	}
	deployment, _ := document["deployment"].(map[string]any)
	if deployment == nil {
		return nil, errors.New("pulumi stack export: there is no deployment in it")
	}
	delete(deployment, "secrets_providers")
	delete(deployment, "pending_operations")
	var secrets []string
	replaced, err := replace(document, &secrets)
	if err != nil {
		return nil, err
	}
	open, err := json.Marshal(replaced)
	if err != nil {
		return nil, err
	}
	for _, secret := range secrets {
		quoted, _ := json.Marshal(secret)
		if len(secret) >= shortest && strings.Contains(string(open), strings.Trim(string(quoted), `"`)) {
			return nil, errors.New("a secret of the stack is in its state in clear, too: nothing was written")
		}
	}
	return open, nil
}

// replace is a value with stand-ins in place of its secrets, which are added to the list.
func replace(value any, secrets *[]string) (any, error) {
	var err error
	switch value := value.(type) {
	case []any:
		for i := range value {
			if value[i], err = replace(value[i], secrets); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if value[signature] == secretValue {
			text, is := value["plaintext"].(string)
			var inner any
			if !is || json.Unmarshal([]byte(text), &inner) != nil {
				return nil, errors.New("pulumi stack export: a secret in it could not be read: is the passphrase given?")
			}
			if text, is := inner.(string); is {
				*secrets = append(*secrets, text)
			}
			stand, err := json.Marshal(standIn(inner, secrets))
			return map[string]any{signature: secretValue, "plaintext": string(stand)}, err
		}
		for key := range value {
			if value[key], err = replace(value[key], secrets); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// standIn is a secret with its form, and none of its texts.
func standIn(value any, secrets *[]string) any {
	switch value := value.(type) {
	case string:
		if hexadecimal.MatchString(value) {
			return strings.Repeat("ab", len(value)/2)
		}
		return placeholder
	case []any:
		for i := range value {
			value[i] = standIn(value[i], secrets)
		}
	case map[string]any:
		for key := range value {
			if text, is := value[key].(string); is && key == "content" { // of a file; what else is beside it is in clear elsewhere
				*secrets = append(*secrets, text)
			}
			value[key] = standIn(value[key], secrets)
		}
	}
	return value
}
