// Command backup is what runs in the containers that back up, rehearse and restore: around
// Litestream and restic, and with the images of both, or of the release. It is a program without
// dependencies in the image. The parts that start it are in components/backup.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// commands are what it does, by the first word. Each says itself what it wants further.
var commands = map[string]func(ctx context.Context, args []string) error{
	"adopt":          adopt,         // begins a history beside another database's
	"archive":        archiving,     // stanza, night, rehearse or adopt, and flags: what is regular of a PostgreSQL's archive
	"as":             as,            // USER -- COMMAND: runs it as another user, who may read all files
	"copy-valkey":    copyValkey,    // flags: copies what a Valkey holds into a folder
	"dump-postgres":  dumpPostgres,  // flags: copies a database of PostgreSQL into a folder
	"emptied":        emptied,       // DATABASE: empties its log, before each start of Litestream
	"files":          files,         // flags: backs up the volumes, encrypted
	"guard":          guard,         // runs Litestream for one database, and never beside another one
	"health":         health,        // whether the guard of this container lives
	"install":        installed,     // FOLDER TAG: puts this program and the scheduler into a volume
	"keep":           keep,          // FROM TO NAME...: copies files from a folder to another
	"mark":           mark,          // waits until all that is committed is on the target, and prints that
	"rehearse":       rehearse,      // flags: restores what is newest, and asks the other room
	"restore":        restoring,     // STEP: one of a restore, which the file /run/restore/request.json describes
	"rows":           rows,          // DATABASE: prints what it holds
	"stand":          stand,         // flags -- COMMAND: has the release stand on what was restored
	"stand-postgres": standPostgres, // flags: has a server stand on what was restored
	"stand-valkey":   standValkey,   // flags: has a Valkey stand on what was restored
	"status":         status,        // prints the state of the backups, as JSON
}

// The exit codes beside 0 and 1 (of sysexits.h, where it has one).
const (
	inconclusive exit = 3  // it could not be asked
	busy         exit = 75 // it runs already, or another one holds the lock
)

// exit is an error that was told already, as an exit code.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	var code exit
	switch {
	case errors.As(err, &code):
		os.Exit(int(code))
	case err != nil:
		fmt.Fprintln(os.Stderr, "backup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	all := strings.Join(slices.Sorted(maps.Keys(commands)), ", ")
	if len(args) == 0 {
		return fmt.Errorf("want one of %s", all)
	}
	command, there := commands[args[0]]
	if !there {
		return fmt.Errorf("there is no command %q; there are %s", args[0], all)
	}
	return command(ctx, args[1:])
}
