//go:build !windows

package main

import (
	"os"
	"syscall"
)

// resizing are the signals that a terminal has another size.
var resizing = []os.Signal{syscall.SIGWINCH}
