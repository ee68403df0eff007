package target

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Flags adds those that every program of the backup has for its target. What it returns is
// asked when they are parsed: the target, with what opens it.
func Flags(set *flag.FlagSet) func() (Target, error) {
	text := set.String("target", "", "where backups go, as the stack's file says it; empty: the stack's own volume")
	stack := set.String("stack", "", "project-stack, which names the folder there")
	access := set.String("access-key", "", "the S3 key's id, or WebDAV's user")
	host := set.String("host-key", "", "an SFTP server's public key")
	folder := set.String("secrets", "/run/secrets", "the folder with backup_secret, backup_ssh_key, backup_files_secret")
	return func() (Target, error) {
		t, err := Parse(*text)
		if err != nil {
			return t, fmt.Errorf("--target: %w", err)
		}
		if *stack == "" || strings.ContainsAny(*stack, "/.") {
			return t, fmt.Errorf("--stack: %q names no folder", *stack)
		}
		t.Stack = *stack
		t.Credentials = Credentials{AccessKey: *access, HostKey: *host}
		t.Credentials.Secret, err = secret(*folder, "backup_secret")
		if err != nil {
			return t, err
		}
		t.Credentials.FilesSecret, err = secret(*folder, "backup_files_secret")
		if key := filepath.Join(*folder, "backup_ssh_key"); err == nil {
			if info, missing := os.Stat(key); missing == nil && info.Size() > 0 {
				t.Credentials.SSHKey = key
			}
		}
		return t, err
	}
}

// secret is a file's content without the line's end; empty where there is none.
func secret(folder, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimRight(string(text), "\r\n"), err
}
