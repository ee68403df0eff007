package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"tarot-platform/internal/install"
)

// The programs in the image, and what stands for them in the volume.
const (
	helperProgram    = "backup"
	schedulerProgram = "scheduler"
)

// installed puts this program and the scheduler into a volume that containers of other images
// mount, by names with a tag of their own, or one program of another image by a given name:
//
//	backup install FOLDER TAG
//	backup install --copy FILE FOLDER NAME
func installed(_ context.Context, args []string) error {
	if len(args) == 4 && args[0] == "--copy" {
		return install.Program(args[1], args[2], args[3])
	}
	if len(args) != 2 {
		return errors.New("install wants FOLDER TAG, or --copy FILE FOLDER NAME")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return installBoth(self, filepath.Join(filepath.Dir(self), schedulerProgram), args[0], args[1])
}

// installBoth has `current` stand for the scheduler, as in a volume that has it alone: what runs
// a schedule now looks there.
func installBoth(helper, scheduler, folder, tag string) error {
	for _, program := range []struct{ file, name, link string }{{helper, helperProgram, helperProgram}, {scheduler, schedulerProgram, "current"}} {
		name := program.name + "-" + tag
		if err := install.Program(program.file, folder, name); err != nil {
			return err
		}
		if err := install.Link(folder, program.link, name); err != nil {
			return err
		}
	}
	return install.States(folder)
}
