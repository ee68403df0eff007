package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"tarot-platform/internal/backup/postgres"
)

// dumpPostgres copies a database of PostgreSQL into a folder, by the server's socket.
func dumpPostgres(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("dump-postgres", flag.ContinueOnError)
	var server postgres.Server
	set.StringVar(&server.Programs, "programs", "", "the folder with the server's programs; empty: as PATH says")
	set.StringVar(&server.Socket, "socket", "/var/run/postgresql", "the folder with the server's socket")
	database := set.String("database", "app", "the database")
	to := set.String("to", "/dump", "the folder for the copy")
	if err := set.Parse(args); err != nil {
		return err
	}
	log := logger("postgres-dump")
	m, err := server.Dump(ctx, *database, *to)
	if err != nil {
		log.Error("there is no new copy, and the last one stays: " + err.Error())
		if ctx.Err() != nil || errors.As(err, new(postgres.Unanswered)) {
			return inconclusive
		}
		return exit(1)
	}
	var rows int64
	for _, count := range m.Rows {
		rows += count
	}
	log.Info("ok", "file", m.File, "bytes", m.Bytes, "of", m.Size, "rows", rows, "tables", len(m.Rows), "took", m.Took.Round(time.Millisecond).String())
	return nil
}
