//go:build linux || darwin

package engine

import "syscall"

// freeAt is what is free on the file system that a folder of this machine is on.
func freeAt(folder string) (Disk, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return Disk{}, err
	}
	block := int64(fs.Bsize)
	// Some file systems make room for files as they need it, and say 0 of 0.
	return Disk{Free: int64(fs.Bavail) * block, Size: int64(fs.Blocks) * block, Files: int64(fs.Ffree), CountsFiles: fs.Files > 0}, nil //nolint:gosec // no disk has as much
}
