package nginx

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	assets "tarot-platform/assets/nginx"
)

// What is installed has the best key exchange that the image knows, and the last one where
// none is taken, whose error is then shown.
func TestTheKeyExchangeIsTheBestThatTheImageKnows(t *testing.T) {
	for refused, want := range map[string]int{"nothing": 0, "MLKEM": 1, "ssl": 1} {
		folder := t.TempDir()
		if err := os.Mkdir(filepath.Join(folder, "new"), 0o700); err != nil {
			t.Fatal(err)
		}
		script := "set -eu\nfolder=" + folder + "\ntested() { ! grep -q " + refused + " \"$folder/new/" + assets.GroupsFile + "\"; }\n" + groupsScript() + "\n"
		if out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		written, err := os.ReadFile(filepath.Join(folder, "new", assets.GroupsFile))
		if err != nil || strings.TrimSpace(string(written)) != assets.Groups()[want] {
			t.Errorf("where %s is refused: %s, %v", refused, written, err)
		}
	}
}
