package sqlite

import (
	"os"
	"regexp"
	"testing"
)

// Litestream's SQLite and this one are in one database at a time: they lock it alike, and know the
// same of it. An update of the one is an update of the other.
func TestItIsLitestreamsVersion(t *testing.T) {
	version := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^\s+modernc\.org/sqlite (v\S+)`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s names no modernc.org/sqlite", file)
		}
		return string(found[1])
	}
	if own, litestreams := version("../../../go.mod"), version("../../../setup/standins/litestream/go.mod"); own != litestreams {
		t.Errorf("%s, and Litestream has %s", own, litestreams)
	}
}
