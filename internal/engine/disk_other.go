//go:build !linux && !darwin

package engine

import "errors"

// freeAt is not known here.
func freeAt(string) (Disk, error) { return Disk{}, errors.ErrUnsupported }
