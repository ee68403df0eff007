package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"time"

	"tarot-platform/internal/backup/valkey"
)

// copyValkey copies all that a Valkey holds into a folder, by the network.
func copyValkey(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("copy-valkey", flag.ContinueOnError)
	server := valkey.Server{Network: "tcp"}
	set.StringVar(&server.Address, "server", "valkey:6379", "where it is: host:port")
	set.StringVar(&server.User, "user", "", "the account that may copy")
	password := set.String("password", "/run/secrets/backup", "the file with its password")
	checker := set.String("checker", "valkey-check-rdb", "the program that reads a copy")
	to := set.String("to", "/copy", "the folder for the copy")
	if err := set.Parse(args); err != nil {
		return err
	}
	if server.User != "" {
		text, err := os.ReadFile(*password)
		if err != nil {
			return err
		}
		server.Password = strings.TrimRight(string(text), "\r\n")
	}
	log := logger("valkey-copy")
	m, err := server.Copy(ctx, *checker, *to)
	if err != nil {
		log.Error("there is no new copy, and the last one stays: " + err.Error())
		if ctx.Err() != nil || errors.As(err, new(valkey.Unanswered)) {
			return inconclusive
		}
		return exit(1)
	}
	log.Info("ok", "file", m.File, "bytes", m.Bytes, "keys", m.All(), "took", m.Took.Round(time.Millisecond).String())
	return nil
}
