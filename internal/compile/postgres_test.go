package compile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/internal/buildcontext"
)

// What is built of an image, and that the one for archives is as it was: another would restart servers.
func TestImagesOfAServersImage(t *testing.T) {
	t.Chdir(t.TempDir())
	for program, make := range map[string]func(string, string, string) (buildcontext.Build, error){"pgbackrest": Postgres, "pgbouncer": Pooler} {
		b, err := make("linux/amd64", "postgres:18.6", "http://mirror")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(b.Context, b.Dockerfile))
		if err != nil {
			t.Fatal(err)
		}
		said := string(text)
		if !strings.HasPrefix(said, "FROM postgres:18.6\n") || !strings.Contains(said, "RUN command -v "+program+" >/dev/null ||") || !strings.Contains(said, "install -y --no-install-recommends "+program+" ") || strings.Contains(said, "%!") || b.Args["APT_MIRROR"] != "http://mirror" {
			t.Errorf("%s", said)
		}
		if strings.Contains(said, "pgbouncer --version") != (program == "pgbouncer") {
			t.Errorf("%s", said)
		}
		if hash, err := b.Hash(); program == "pgbackrest" && hash != "180564777d0a60c8" {
			t.Errorf("%s, %v", hash, err)
		}
	}
}
