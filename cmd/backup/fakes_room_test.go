package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// fakeCopyIn has the test's program be a litestream whose target is in that folder: copy.db is what
// it restores, txid the last transaction of that; fails, unanswered: it does not.
const fakeCopyIn = "TEST_COPY_FOLDER"

// fakeRelease has it be a release, which does as this says.
const fakeRelease = "TEST_RELEASE"

func init() {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-test.") {
		return
	}
	var err error
	switch {
	case os.Args[1] == "serve":
		err = release(os.Getenv(fakeRelease), os.Args[2])
	case os.Args[1] == "migrate":
		err = migrated(os.Getenv(fakeRelease), os.Args[2])
	case os.Getenv(fakeCopyIn) != "" && slices.Contains([]string{"restore", "ltx"}, os.Args[1]) && slices.Contains(os.Args, "-config"):
		err = fakeCopy(os.Getenv(fakeCopyIn))
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func fakeCopy(at string) error {
	says := func(name string) string {
		text, _ := os.ReadFile(at + "/" + name)
		return string(text)
	}
	if says("unanswered") != "" {
		return errors.New("dial tcp: connection refused")
	}
	if os.Args[1] == "ltx" {
		fmt.Println("[]")
		return nil
	}
	if says("fails") != "" {
		return errors.New(says("fails"))
	}
	text, err := os.ReadFile(at + "/copy.db")
	if err != nil {
		return err
	}
	fmt.Printf(`{"txid":%q}`+"\n", says("txid"))
	return os.WriteFile(values(os.Args, "-o")[0], text, 0o644)
}

// release answers as the site of these tests does.
func release(fault, port string) error {
	if fault == "ends" {
		return errors.New("no such column: price")
	}
	if fault == "spoils" { // the database: the second word of its environment
		if err := os.WriteFile(os.Getenv("TEST_DATABASE"), []byte("SQLite format 3\x00 and nothing else"), 0o644); err != nil {
			return err
		}
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Proto") != "https" || !strings.HasPrefix(r.Host, "shop.example:") {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) {
		if fault == "answers 500" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	over := make(chan os.Signal, 1)
	signal.Notify(over, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe("127.0.0.1:"+port, nil) }()
	select {
	case err := <-failed:
		return err
	case <-over:
		return nil
	}
}
