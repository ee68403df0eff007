//go:build !unix

package doctor

import "errors"

func diskOf(string) (size, free, inodes, freeInodes uint64, err error) {
	return 0, 0, 0, 0, errors.ErrUnsupported
}
