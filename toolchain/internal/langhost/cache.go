package langhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// cacheKey names a program by where its source is. The content needs no place in the key: go build compares it with
// what the executable says of itself, and links again only when something changed.
func cacheKey(dir, pkg string) string {
	sum := sha256.Sum256([]byte(dir + "\x00" + pkg))
	return filepath.Base(dir) + "-" + hex.EncodeToString(sum[:6])
}

// cacheDir is outside the repository, so that a build never shows in git status or in a build context.
func cacheDir() (string, error) {
	base := os.Getenv("TAROT_CACHE")
	if base == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("where to keep the compiled program: %w (or set TAROT_CACHE)", err)
		}
		base = filepath.Join(dir, "tarot-platform")
	}
	return filepath.Join(base, "programs"), nil
}

// sourceFile lies beside a cached executable and says where its source is.
const sourceFile = "source"

// noteSource writes that file, and removes the executables whose source is gone: worktrees and temporary copies come
// and go, and each leaves 45 MB. What cannot be removed does no harm.
func noteSource(folder, source string) error {
	if err := os.WriteFile(filepath.Join(folder, sourceFile), []byte(source), 0o600); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(folder), "*", sourceFile))
	if err != nil {
		return err
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if _, err := os.Stat(string(source)); errors.Is(err, fs.ErrNotExist) {
			_ = os.RemoveAll(filepath.Dir(file))
		}
	}
	return nil
}
