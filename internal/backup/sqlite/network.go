package sqlite

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// networks are the kinds of file systems that reach beyond this kernel, or whose locks and shared
// memory need not: SQLite's own are not kept there (https://sqlite.org/faq.html#q5).
var networks = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "nfs",
	unix.SMB_SUPER_MAGIC:  "smb",
	unix.CIFS_SUPER_MAGIC: "cifs",
	unix.SMB2_SUPER_MAGIC: "smb2",
	unix.V9FS_MAGIC:       "9p",
	unix.FUSE_SUPER_MAGIC: "fuse or virtiofs",
	unix.AFS_SUPER_MAGIC:  "afs",
	unix.CODA_SUPER_MAGIC: "coda",
	0x00c36400:            "ceph",
	0x0bd00bd0:            "lustre",
	0x01161970:            "gfs2",
}

// OnNetwork reports whether a folder is on a file system where SQLite's locks do not hold, and
// which kind that is.
func OnNetwork(folder string) (kind string, is bool, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return "", false, fmt.Errorf("file system of %s: %w", folder, err)
	}
	kind, is = networks[int64(fs.Type)&0xffffffff] //nolint:unconvert // 32 bits on some processors
	return kind, is, nil
}
