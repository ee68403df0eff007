package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tarot-platform/internal/buildcontext"
)

// buildFolder is where there is what builds read and write, relative to the project's.
const buildFolder = ".build"

// secretFolder has the secrets of the stack's builds while there are builds. The provider is
// told their paths, so that no value gets into Pulumi's state, and BuildKit mounts them, so that
// none gets into an image.
func (s Stack) secretFolder() string { return filepath.Join(buildFolder, "secrets", s.Prefix) }

// WriteBuildSecrets implements Runtime.
func (s Stack) WriteBuildSecrets(values map[string]string) (remove func() error, err error) {
	remove = func() error { return os.RemoveAll(s.secretFolder()) }
	if err := remove(); err != nil || len(values) == 0 {
		return remove, err
	}
	if err := os.MkdirAll(s.secretFolder(), 0o700); err != nil {
		return remove, err
	}
	for name, value := range values {
		if err := os.WriteFile(filepath.Join(s.secretFolder(), name), []byte(value), 0o600); err != nil {
			return remove, errors.Join(fmt.Errorf("build secret %s: %w", name, err), remove())
		}
	}
	return remove, nil
}

// refuseSent refuses a build whose context has the secrets in it.
func refuseSent(b buildcontext.Build) error {
	if len(b.Secrets) == 0 {
		return nil
	}
	sent, err := b.Sends(buildFolder)
	if err == nil && sent {
		err = fmt.Errorf("the build context %s holds the folder %s, where the secrets of builds are meanwhile, and `COPY .` would put them into the image: name %[2]s in its .dockerignore", b.Context, buildFolder)
	}
	return err
}
