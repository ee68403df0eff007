package nginx

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What has the page shown where nothing is rendered makes of one configuration the other, in both
// directions, and of all servers in it: a nginx that starts again does what it did.
func TestThePageIsAnEditOfTheConfiguration(t *testing.T) {
	for _, pair := range [][2]string{{"prod.conf", "prod-maintenance.conf"}} {
		open, closed := read(t, pair[0]), read(t, pair[1])
		page := PageOf("tarot-prod")
		if got := edited(t, open, page.Keep); lines(got) != lines(closed) {
			t.Errorf("%s, kept closed, is not as %s", pair[0], pair[1])
		}
		if got := edited(t, closed, page.Forget); lines(got) != lines(open) {
			t.Errorf("%s, opened, is not as %s", pair[1], pair[0])
		}
		if got := edited(t, edited(t, open, page.Keep), page.Keep); got != edited(t, open, page.Keep) {
			t.Error("a second time makes a difference")
		}
	}
	several := read(t, "prod-routes.conf")
	if n := strings.Count(several, openLine); n < 2 {
		t.Fatalf("%d servers with a page", n)
	}
	if got := edited(t, several, PageOf("x").Keep); strings.Contains(got, openLine) || strings.Count(got, closedLine) != strings.Count(several, openLine) {
		t.Error("some servers stay open")
	}
}

// lines are those that the page hangs on.
func lines(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "$closed") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../assets/nginx/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edited runs the command where the volume is a folder of the test's.
func edited(t *testing.T, text string, command []string) string {
	t.Helper()
	at := t.TempDir()
	if err := os.MkdirAll(filepath.Join(at, "r1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at, "r1/nginx.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("r1", filepath.Join(at, "current")); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(command[2], folder, at)
	if out, err := exec.Command(command[0], command[1], script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(at, "r1/nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// What the page changes in the configuration is taken out again, whichever way it is found.
func TestTheConfigurationWithoutThePage(t *testing.T) {
	const open = "a\n  " + openLine + "\nb\n"
	for _, found := range []string{open, "a\n  " + closedLine + "\nb\n"} {
		if got := string(Opened([]byte(found))); got != open {
			t.Errorf("%q", got)
		}
	}
	if got := string(Opened([]byte("by hand\n" + closedLine))); got == open {
		t.Error("another line is none")
	}
}
