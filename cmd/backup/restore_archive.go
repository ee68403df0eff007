package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tarot-platform/internal/backup/archive"
	"tarot-platform/internal/backup/postgres"
	"tarot-platform/internal/restore/task"
)

// openArchive puts what pgBackRest needs where the server's user reads it, and nobody else: as that it runs.
func openArchive(request task.Request) (archive.Archive, error) {
	s := request.Server
	a := archive.Archive{Config: filepath.Join(task.Opened, archive.SettingsFile), Include: filepath.Join(task.Opened, "more"), Version: s.Version,
		Server: postgres.Server{Programs: s.Programs, Socket: s.Socket, As: &syscall.Credential{Uid: s.UID, Gid: s.GID}}}
	files := map[string]string{a.Config: s.Archive}
	for file, from := range map[string]struct {
		secret string
		make   func(string) (string, error)
	}{
		filepath.Join(a.Include, archive.KeyFile):    {"backup_key", archive.Key},
		filepath.Join(a.Include, archive.SecretFile): {"backup_secret", archive.Secret},
		filepath.Join(task.Opened, "backup_ssh_key"): {"backup_ssh_key", func(key string) (string, error) { return key + "\n", nil }},
	} {
		text, err := os.ReadFile(filepath.Join(task.Secrets, from.secret))
		if errors.Is(err, fs.ErrNotExist) || err == nil && from.secret == "backup_secret" && !strings.Contains(s.Archive, "repo1-type=s3") {
			continue
		}
		if err != nil {
			return a, err
		}
		if files[file], err = from.make(strings.TrimSpace(string(text))); err != nil {
			return a, err
		}
	}
	for _, folder := range []string{task.Opened, a.Include} {
		if err := errors.Join(os.MkdirAll(folder, 0o700), os.Chown(folder, int(s.UID), int(s.GID))); err != nil {
			return a, err
		}
	}
	for file, text := range files {
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o400), os.Chown(file, int(s.UID), int(s.GID))); err != nil {
			return a, err
		}
	}
	return a, nil
}
