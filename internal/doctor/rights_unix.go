//go:build unix

package doctor

import (
	"fmt"
	"io/fs"
	"syscall"
)

// mayWrite is true where a user with nothing but a number may.
func mayWrite(info fs.FileInfo, uid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || uid == 0 || info.Mode()&fs.ModeSymlink != 0 {
		return true
	}
	if int(stat.Uid) == uid {
		return info.Mode().Perm()&0o200 != 0
	}
	return info.Mode().Perm()&0o022 != 0 // by its group, perhaps
}

func owned(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.Mode().String()
	}
	return fmt.Sprintf("%s of user %d", info.Mode(), stat.Uid)
}
