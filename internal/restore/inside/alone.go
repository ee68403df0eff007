package inside

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"tarot-platform/internal/backup/durable"
)

// replicatorLock is the guard's: whoever has it is the only one that replicates the database.
const replicatorLock = "replicator.lock"

// alone proves that nobody has the database open, and sees to it that nobody opens it until it
// is released: neither a replicator, whose lock it takes, nor any program with SQLite, whose
// locks on the file it asks for and takes. They are the kernel's, and so bind every container
// of this machine. It changes nothing of the database.
func (r *Room) alone() (release func(), err error) {
	var held []*os.File
	free := func() {
		for _, f := range held {
			_ = f.Close()
		}
	}
	defer func() {
		if err != nil {
			free()
		}
	}()
	name := r.beside(r.Request.Database.Volume, replicatorLock)
	if err := durable.MkdirAll(filepath.Dir(name)); err != nil {
		return nil, err
	}
	if there, err := exists(name); err != nil {
		return nil, err
	} else if !there {
		if err := durable.Write(name, nil, 0o600); err != nil { // its folder's owner's, or the guard could not open it
			return nil, err
		}
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	held = append(held, f)
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("a replicator still has the database (%s): %w", name, err)
	}
	for _, file := range []struct {
		name        string
		from, bytes int64
	}{
		{r.live(), pending, 512},
		{r.live() + "-shm", shared, 9},
	} {
		f, err := os.OpenFile(file.name, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		held = append(held, f)
		wanted := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: file.from, Len: file.bytes}
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &wanted); err != nil {
			return nil, fmt.Errorf("a program still has %s open: %w", file.name, err)
		}
	}
	return free, nil
}

// Where SQLite has its locks (os.h, wal.c): whoever has a database open holds a shared one on
// the file while it reads or writes, and in WAL mode for as long as it is open; and one in the
// index of the log.
const (
	pending = 0x40000000
	shared  = 120
)
