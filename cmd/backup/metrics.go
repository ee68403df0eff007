package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tarot-platform/internal/backup/results"
)

// metrics are the guard's own, with the results of the cron jobs, and litestream's.
func (r *replicator) metrics(ctx context.Context) string {
	s := r.status()
	var text strings.Builder
	var replicated *time.Time
	if r.Database != "" {
		replicated = &s.Mark.At
		results.Sample(&text, "replicated_timestamp_seconds", "By when all that was committed is on the target; 0: nothing is.", results.Unix(s.Mark.At))
		results.Sample(&text, "target_seen_timestamp_seconds", "When the target itself was asked last, and could restore all that was said to be there; 0: not yet.", results.Unix(s.Seen))
		results.Sample(&text, "replicated_txid", "litestream's number of the last transaction there.", float64(s.Mark.TXID))
	}
	for i, state := range results.States {
		help := ""
		if i == 0 {
			help = "What the replication does."
		}
		results.Sample(&text, "replicator_state", help, results.Boolean(s.State == state), "state", state)
	}
	results.Sample(&text, "second_replicator_total", "How often a second one wanted to replicate the database.", float64(s.Refused))
	results.Sample(&text, "target_same_disk", "1 where the backups are on the disk of the database.", results.Boolean(s.SameDisk))
	results.Sample(&text, "key_kept", "1 where the repository's key is in the stack's file.", results.Boolean(s.KeyKept))
	results.Sample(&text, "database_bytes", "The size of the database with its WAL.", float64(s.DatabaseBytes))
	results.Sample(&text, "old_histories", "Histories on the target that are no longer written.", float64(len(s.Old)))
	if !r.Target.Remote() && s.Size > 0 {
		results.Sample(&text, "target_free_bytes", "What is free on the target's disk.", float64(s.Free))
		results.Sample(&text, "target_size_bytes", "The size of the target's disk.", float64(s.Size))
	}
	text.WriteString(results.Metrics(s.Results, replicated))
	if own, err := r.litestreamMetrics(ctx); err == nil {
		text.WriteString(own)
	}
	return text.String()
}

// litestreamMetrics are those that are litestream's own, and not Go's.
func (r *replicator) litestreamMetrics(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Metrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("litestream's metrics: %s", answer.Status)
	}
	var text strings.Builder
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		line := lines.Text()
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if strings.HasPrefix(name, "litestream_") {
			text.WriteString(line + "\n")
		}
	}
	return text.String(), lines.Err()
}

// diskFull is what litestream says of the disk of the database.
func (r *replicator) diskFull(ctx context.Context) (bool, error) {
	text, err := r.litestreamMetrics(ctx)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "litestream_disk_full") && strings.HasSuffix(strings.TrimSpace(line), " 1") {
			return true, err
		}
	}
	return false, err
}
