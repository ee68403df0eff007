package components

import (
	"os"
	"slices"
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

func TestWhatTheMountedCodeHidesIsNamed(t *testing.T) {
	inProject(t)
	if err := os.MkdirAll("app/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ words, want []string }{
		{[]string{"python", "-m", "app", "PATH=/usr/bin:/bin", "HOME=/app"}, nil},
		{[]string{"/app/.venv/bin/uvicorn", "app:app"}, []string{"/app/.venv/bin/uvicorn"}},
		{[]string{"PATH=/app/.venv/bin:/usr/bin", "VIRTUAL_ENV=/app/.venv"}, []string{"/app/.venv/bin", "/app/.venv"}},
		{[]string{"/bin/sh", "-c", "exec /app/run.sh --now"}, []string{"/app/run.sh"}},
		{[]string{"PATH=/app/bin:/bin", "FILE=/app/Dockerfile"}, nil},
		{[]string{"A=/app/data/x", "B=/app/static", "C=/app/logs/", "D=/application/x", "E=/app/database"}, []string{"/app/database"}},
	} {
		if got := hiddenBy("app", test.words); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.words, got, test.want)
		}
	}
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

func TestAFailedBuildThatFetchesItsSyntaxSaysSo(t *testing.T) {
	const syntax = "docker/dockerfile:1"
	for log, want := range map[string]bool{
		"#2 resolve image config for docker.io/docker/dockerfile:1\n#2 ERROR: failed to do request: dial tcp: no such host":                                 true,
		"ERROR: failed to solve: failed to resolve source metadata for docker.io/docker/dockerfile:1: not found":                                            true,
		"#2 resolve image config for docker.io/docker/dockerfile:1\n#2 DONE 1s\n#3 docker-image://docker.io/docker/dockerfile:1\n#3 DONE\n#9 ERROR: exit 1": false,
		"#4 ERROR: failed to do request": false,
	} {
		if got := syntaxHint(syntax, log); (got != "") != want {
			t.Errorf("%q: %q", log, got)
		}
		if syntaxHint("", log) != "" {
			t.Errorf("%q: a hint at nothing", log)
		}
	}
}
