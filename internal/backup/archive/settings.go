// Package archive has pgBackRest keep a PostgreSQL's database as it changes: all that is written to it
// goes to the target, encrypted, with a copy of the whole from time to time, so that it can be
// brought to any moment since.
package archive

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/backup/target"
)

// Stanza is what pgBackRest calls the database.
const Stanza = "app"

// The names of files with settings. The other two have what opens the repository.
const (
	SettingsFile = "pgbackrest.conf"
	KeyFile      = "pgbackrest-key.conf"
	SecretFile   = "pgbackrest-s3.conf"
)

// Settings is what is the same wherever pgBackRest runs for a stack.
type Settings struct {
	// Data is the folder of the cluster, and Socket that with the server's socket.
	Data, Socket string
	// Retention is how far back it can be restored.
	Retention time.Duration
	// Queue is how many bytes of the log may wait for a target that is away. What is beyond that is
	// given up, rather than the disk: there is a gap then, which the next full backup ends.
	Queue int64
}

// Place is where the archive goes: the target of all backups, or, where pgBackRest knows none of its
// kind, a volume of the stack's own.
func Place(t target.Target) (place target.Target, same bool) {
	if _, ok := t.PgBackRest(); ok {
		return t, true
	}
	return target.Target{Kind: target.Volume, Stack: t.Stack}, false
}

// Text is pgbackrest.conf, without what opens the repository. The target is one of Place.
//
// One piece of the log is sent at a time. A process that goes on in the background (archive-async) becomes a child of the
// container's first one; where that is the server, it takes a failure for a crash of its own, and begins anew.
func (s Settings) Text(t target.Target) string {
	options, _ := t.PgBackRest()
	maps.Copy(options, map[string]string{
		"repo1-cipher-type": "aes-256-cbc", "repo1-bundle": "y", "repo1-block": "y", "compress-type": "zst", "start-fast": "y", "process-max": "2",
		"repo1-retention-full-type": "time", "repo1-retention-full": fmt.Sprint(int64((s.Retention + 24*time.Hour - 1) / (24 * time.Hour))),
		"log-level-console": "off", "log-level-stderr": "warn", "log-level-file": "off", "lock-path": "/tmp/pgbackrest/lock",
	})
	var text strings.Builder
	text.WriteString("[global]\n")
	for _, name := range slices.Sorted(maps.Keys(options)) {
		fmt.Fprintf(&text, "%s=%s\n", name, options[name])
	}
	fmt.Fprintf(&text, "\n[global:archive-push]\narchive-push-queue-max=%d\n\n[%s]\npg1-path=%s\npg1-socket-path=%s\n", s.Queue, Stanza, s.Data, s.Socket)
	return text.String()
}

// Key is a file of settings with the repository's own key, which follows from that of all backups: there is
// one to keep.
func Key(backupKey string) (string, error) {
	key, err := hkdf.Key(sha256.New, []byte(backupKey), nil, "pgbackrest", 32)
	return "[global]\nrepo1-cipher-pass=" + hex.EncodeToString(key) + "\n", err
}

// Secret is one with the secret of an S3 key.
func Secret(secret string) (string, error) {
	return "[global]\nrepo1-s3-key-secret=" + secret + "\n", nil
}
