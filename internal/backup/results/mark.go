package results

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Mark says what is on the target: all that was committed by At.
type Mark struct {
	// TXID is litestream's number of the last transaction there, and Place the history's name.
	TXID  uint64    `json:"txid"`
	At    time.Time `json:"at"`
	Place string    `json:"place,omitempty"`
	// Content is what the database held just before; nil: it was not asked.
	Content *Content `json:"content,omitempty"`
}

// Content is what a database holds.
type Content struct {
	// Schema is a hash of all tables, indexes, views and triggers.
	Schema string `json:"schema"`
	// Rows are the numbers of rows of each table.
	Rows map[string]int64 `json:"rows"`
	// ForeignKeys is how many rows refer to none that is there.
	ForeignKeys int `json:"foreign_keys"`
}

// ParseTXID reads a transaction's number as litestream prints it: 16 hexadecimal digits.
func ParseTXID(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		return 0, fmt.Errorf("%q is no transaction of litestream's", text)
	}
	return n, nil
}

// The states of the replication.
const (
	Replicating = "replicating"
	Waiting     = "waiting"     // not yet: it has just started, or could not ask the target
	Locked      = "locked"      // another one replicates the database
	Foreign     = "foreign"     // the target has backups of another database
	NoDatabase  = "no-database" // the file is not there yet
	Failing     = "failing"     // what is committed does not get to the target
)

// States are all of them.
var States = []string{Replicating, Waiting, Locked, Foreign, NoDatabase, Failing}

// Status is the replication as `make status` asks for it.
type Status struct {
	State string `json:"state"`
	// Why says what is wrong, and what mends it; empty: nothing is.
	Why string `json:"why,omitempty"`
	// Place is the history's name on the target; Target is empty for the stack's own volume.
	Place    string `json:"place,omitempty"`
	Target   string `json:"target"`
	Database string `json:"database"`
	// Mark is the newest one; the zero one: there is none yet.
	Mark Mark `json:"mark"`
	// Seen is when the target itself was asked last, and could restore all that Mark then said.
	Seen time.Time `json:"seen"`
	// SameDisk is true for a target on the disk of the database, and KeyKept where the
	// repository's key is in the stack's file.
	SameDisk bool `json:"same_disk"`
	KeyKept  bool `json:"key_kept"`
	// DatabaseBytes is the size of the file with its WAL; Free and Size are of the target's disk,
	// where it is a folder.
	DatabaseBytes int64 `json:"database_bytes"`
	Free          int64 `json:"free,omitempty"`
	Size          int64 `json:"size,omitempty"`
	// Old are histories that are no longer written.
	Old []History `json:"old,omitempty"`
	// Refused is how often a second one wanted to replicate the database.
	Refused int `json:"refused,omitempty"`
	// Litestream is its version.
	Litestream string   `json:"litestream,omitempty"`
	Results    []Result `json:"results"`
}

// History is one on the target.
type History struct {
	Path string `json:"path"`
	// First and Last are when its first and its last file were written.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Bytes int64     `json:"bytes"`
}

// Client asks the replicator over the network.
type Client struct {
	// URL is where it answers, such as http://backup-replicator:9747.
	URL string
}

// Mark waits until all that is committed now is on the target, and returns where that is, with
// what the database held before.
func (c Client) Mark(ctx context.Context) (Mark, error) {
	var m Mark
	err := c.ask(ctx, http.MethodPost, "/mark", &m)
	return m, err
}

// Rows are what the database holds now.
func (c Client) Rows(ctx context.Context) (Content, error) {
	var content Content
	err := c.ask(ctx, http.MethodGet, "/rows", &content)
	return content, err
}

func (c Client) ask(ctx context.Context, method, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // counting rows of large tables takes a while
	defer cancel()
	question, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(question)
	if err != nil {
		return fmt.Errorf("the replicator does not answer: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("the replicator does not answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the replicator: %s", strings.TrimSpace(string(text)))
	}
	return json.Unmarshal(text, answer)
}

// Add counts a file of it.
func (h *History) Add(at time.Time, bytes int64) {
	if h.First.IsZero() || at.Before(h.First) {
		h.First = at
	}
	if at.After(h.Last) {
		h.Last = at
	}
	h.Bytes += bytes
}
