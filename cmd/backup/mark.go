package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/sqlite"
)

// markPatience is how long somebody waits for what is committed to be on the target.
const markPatience = 30 * time.Second

// answerMark counts what the database holds, and waits until that is on the target. In this
// order: what is there has at least what was counted.
func (r *replicator) answerMark(w http.ResponseWriter, question *http.Request) {
	content, err := r.content(question.Context())
	if err != nil {
		answerJSON(w, nil, err)
		return
	}
	m, err := r.ask(question.Context(), markPatience, r.now())
	m.Content = &content
	if err == nil {
		r.reached(m)
	}
	answerJSON(w, m, err)
}

// mark prints results.Mark as JSON, from anywhere in the stack's network.
func mark(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("mark", flag.ContinueOnError)
	url := set.String("guard", "http://backup-replicator:9747", "where the guard answers")
	if err := set.Parse(args); err != nil {
		return err
	}
	m, err := results.Client{URL: *url}.Mark(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

// countInChild has a program of its own count: what that needs of memory goes with it.
func (r *replicator) countInChild(ctx context.Context) (results.Content, error) {
	var content results.Content
	if r.Database == "" {
		return content, errors.New("no database is in a file")
	}
	self, err := os.Executable()
	if err != nil {
		return content, err
	}
	text, err := exec.CommandContext(ctx, self, "rows", r.Database).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return content, fmt.Errorf("the database could not be counted: %s", strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return content, err
	}
	err = json.Unmarshal(text, &content)
	return content, err
}

// rows prints results.Content of a database as JSON.
func rows(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("rows wants the path of a database")
	}
	db, err := sqlite.Open(args[0], sqlite.ReadOnly)
	if err != nil {
		return err
	}
	defer db.Close()
	var content results.Content
	if content.Schema, err = db.Schema(ctx); err != nil {
		return err
	}
	if content.Rows, err = db.Rows(ctx); err != nil {
		return err
	}
	if content.ForeignKeys, err = db.ForeignKeys(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(content)
}
