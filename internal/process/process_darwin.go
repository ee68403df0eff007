package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// start is when a process was started; empty where there is none. known is false where that can't
// be told.
func start(number int) (text string, known bool) {
	found, err := unix.SysctlKinfoProc("kern.proc.pid", number)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EIO) { // EIO: what came is no process
		return "", true
	}
	const zombie = 5 // SZOMB
	switch {
	case err != nil:
		return "", false
	case found.Proc.P_stat == zombie:
		return "", true
	}
	began := found.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", began.Sec, began.Usec), true
}

// place is by whose numbers a process is known: the machine's since it was started.
func place() []string {
	boot, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return nil
	}
	return []string{boot}
}
