//go:build unix

package doctor

import "syscall"

func diskOf(folder string) (size, free, inodes, freeInodes uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, 0, 0, 0, err
	}
	block := uint64(s.Bsize) //nolint:gosec,unconvert // its type differs between systems
	// As df has it: what only root may take is no part of it.
	return (s.Blocks - s.Bfree + uint64(s.Bavail)) * block, uint64(s.Bavail) * block, uint64(s.Files), uint64(s.Ffree), nil //nolint:unconvert // the same
}
