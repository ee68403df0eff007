package components

import (
	"os"
	"strings"
	"testing"
)

func TestFilesThatTheApplicationMayNotReadAreNamed(t *testing.T) {
	for _, name := range []string{"dev", "prod"} {
		inProject(t)
		for _, file := range []string{"app/a.py", "app/b.py", "app/c.py", "app/d.py"} {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := succeed(t, stack(t, name), preview)
		const want = "the user 10001:10001 (tarot:backend.user), which may not read a.py (0600), b.py (0600), c.py (0600) and 1 more in ./app: `chmod -R go+rX ./app` mends that"
		if len(r.warnings.texts) != 1 || !strings.Contains(r.warnings.texts[0], want) {
			t.Errorf("%s: %q", name, r.warnings.texts)
		}
		for _, file := range []string{"app/a.py", "app/b.py", "app/c.py", "app/d.py"} {
			if err := os.Chmod(file, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if r := succeed(t, stack(t, name), preview); len(r.warnings.texts) > 0 {
			t.Errorf("%s, mended: %q", name, r.warnings.texts)
		}
	}
}

func TestWhatTheMountedCodeHidesIsTold(t *testing.T) {
	inProject(t)
	docker := &fakeEngine{environment: []string{"PATH=/app/.venv/bin:/bin"}}
	for name, want := range map[string]int{"dev": 1, "prod": 0} {
		r := deploy(stack(t, name), &recorder{stage: up}, docker)
		if r.err != nil || len(r.warnings.texts) != want {
			t.Errorf("%s: %v, %q", name, r.err, r.warnings.texts)
		}
		if want > 0 && !strings.HasPrefix(r.warnings.texts[0], "/app/.venv/bin is named by the image and hidden") {
			t.Errorf("%q", r.warnings.texts)
		}
	}
}
