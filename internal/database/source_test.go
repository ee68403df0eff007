package database

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"testing"
)

// What Litestream keeps in the file for itself is in no other database, and so must not count.
func TestTheRowsOfAFileAreTheApplications(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	const script = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("CREATE TABLE readings (id INTEGER PRIMARY KEY)")
db.execute("INSERT INTO readings VALUES (1), (2)")
db.execute("CREATE TABLE xlitestream_own (id INTEGER)")
for name in ("seq", "lock"):
    db.execute("CREATE TABLE _litestream_" + name + " (id INTEGER)")
db.execute("INSERT INTO _litestream_seq VALUES (1)")
`
	if text, err := exec.Command("python3", "-c", script, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	text, err := exec.Command("python3", "-c", sourceScript, file, file+".copy", "equal").Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows map[string]int
	if err := json.Unmarshal(text, &rows); err != nil || !maps.Equal(rows, map[string]int{"readings": 2, "xlitestream_own": 0}) {
		t.Errorf("%v %s", err, text)
	}
}
