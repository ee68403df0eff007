//go:build unix

package engine

import (
	"os"
	"syscall"
)

// groupOf is the group of a socket that its group may write to; 0 otherwise.
func groupOf(socket string) int {
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm()&0o060 != 0o060 {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Gid)
	}
	return 0
}
