//go:build windows

package main

import "os"

// resizing are none: nobody tells.
var resizing []os.Signal
