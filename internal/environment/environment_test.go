package environment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// state is a Pulumi whose stacks are folders with a file for their tags.
func fakeState(t *testing.T, tags map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for stack, text := range tags {
		if err := os.WriteFile(filepath.Join(folder, stack), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := `#!/bin/sh
cd "$STATE" || exit 1
echo "$*" >>../asked
case "$1 $2 $3" in
"stack ls --json") printf '['; sep=; for f in *; do printf '%s{"name":"%s"}' "$sep" "$f"; sep=,; done; echo ']' ;;
"stack tag ls") cat "$5" ;;
"stack tag set") printf '{"%s":"%s"}' "$4" "$5" >"$7" ;;
"stack init "*) echo '{}' >"$3" ;;
"stack rm "*) rm "$3" ;;
*) echo "error: $*" >&2; exit 1 ;;
esac
`
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "pulumi"), []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("STATE", folder)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return folder
}

func TestOnlyWhatWasMadeToEndEnds(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	fakeState(t, map[string]string{
		"prod": `{}`, "staging": `{"pulumi:project":"tarot"}`,
		"pr-1": `{"tarot:expires":"2026-11-28T11:59:00Z"}`, "pr-2": `{"tarot:expires":"2026-11-28T12:01:00Z"}`,
		"prod-eu": `{"tarot:expires":"2026-11-28T11:00:00Z"}`,
	})
	all, err := List(t.Context(), now)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, want := range []struct {
		stack string
		over  bool
	}{{"prod-eu", true}, {"pr-1", true}, {"pr-2", false}} {
		if all[i].Stack != want.stack || all[i].Over != want.over {
			t.Errorf("%+v, want %+v", all[i], want)
		}
	}
	for stack, want := range map[string]string{"prod": "has no end", "staging": "was not made to have an end", "prod-eu": "has no end", "pr-1": "", "pr-2": ""} {
		if _, err := Ends(t.Context(), stack); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", stack, err, want)
		}
	}
}

func TestAMarkIsMadeBeforeAnythingElse(t *testing.T) {
	folder := fakeState(t, map[string]string{"staging": `{}`, "pr-1": `{"tarot:expires":"2026-11-28T11:59:00Z"}`})
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, stack := range []string{"pr-1", "pr-3"} {
		if err := Begin(t.Context(), stack, until); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(folder, stack)); err != nil || string(text) != `{"tarot:expires":"2026-12-01T00:00:00Z"}` {
			t.Errorf("%s: %s, %v", stack, text, err)
		}
	}
	if err := Begin(t.Context(), "staging", until); err == nil || !strings.Contains(err.Error(), "nothing is changed") {
		t.Error(err)
	}
	if text, _ := os.ReadFile(filepath.Join(folder, "staging")); string(text) != `{}` {
		t.Errorf("somebody else's stack is marked: %s", text)
	}
}

func TestWhatMayHaveAnEnd(t *testing.T) {
	for stack, fine := range map[string]bool{"pr-7": true, "staging": true, "prod": false, "PROD": false, "production": false, "preprod": false, "dev": false, "main": false, "live": false} {
		if err := Allowed(stack, time.Hour); (err == nil) != fine {
			t.Errorf("%s: %v", stack, err)
		}
	}
	for lasts, fine := range map[time.Duration]bool{0: false, time.Second: false, time.Minute: true, 60 * 24 * time.Hour: true, 61 * 24 * time.Hour: false, -time.Hour: false} {
		if err := Allowed("pr-7", lasts); (err == nil) != fine {
			t.Errorf("%s: %v", lasts, err)
		}
	}
}

// A mark that can't be read is no answer: the stack neither goes, nor is it told to be for good.
func TestAMarkThatIsNoTime(t *testing.T) {
	fakeState(t, map[string]string{"pr-1": `{"tarot:expires":"soon"}`})
	if _, err := List(t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), `is "soon"`) {
		t.Error(err)
	}
	if _, err := Ends(t.Context(), "pr-1"); err == nil {
		t.Error("it has an end")
	}
}
