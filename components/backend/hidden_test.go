package backend

import (
	"os"
	"slices"
	"testing"
)

func TestWhatTheMountedCodeHidesIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("app/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("app/Dockerfile", nil, 0o600); err != nil {
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
		if got := hiddenBy("app", "/app", []string{"/app/data", "/app/static", "/app/logs"}, test.words); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.words, got, test.want)
		}
	}
}
