package compile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tarot-platform/internal/buildcontext"
)

// postgres is of an image of PostgreSQL's with pgBackRest, which has to be where the data are and the server
// that archives them. It is Debian's, of the same release as the image. One that has it already stays as it is.
const postgres = `FROM %s
ARG APT_MIRROR=""
USER 0:0
RUN command -v pgbackrest >/dev/null || { \
      sed "s#https\?://deb.debian.org#${APT_MIRROR:-http://deb.debian.org}#" /etc/apt/sources.list.d/debian.sources >/tmp/debian.sources \
      && set -- -o Dir::Etc::sourcelist=/tmp/debian.sources -o Dir::Etc::sourceparts=- \
      && apt-get "$@" update && apt-get "$@" install -y --no-install-recommends pgbackrest \
      && rm -rf /tmp/debian.sources /var/lib/apt/lists/*; } \
    || { echo "no pgBackRest: the image has to be based on Debian, and tarot:build.aptMirror names a nearer archive" >&2; exit 1; }
`

// Postgres is the context of an image of PostgreSQL's with what archives it, for an os/architecture.
func Postgres(platform, image, mirror string) (buildcontext.Build, error) {
	b := buildcontext.Build{Context: filepath.Join(folder, "postgres", strings.NewReplacer("/", "-", ":", "-", "@", "-").Replace(image+"-"+platform)), Dockerfile: "Dockerfile", Platform: platform, Args: map[string]string{}}
	if mirror != "" {
		b.Args["APT_MIRROR"] = mirror
	}
	if err := os.MkdirAll(b.Context, 0o755); err != nil {
		return b, err
	}
	recipe := filepath.Join(b.Context, b.Dockerfile)
	if err := os.WriteFile(recipe, fmt.Appendf(nil, postgres, image), 0o644); err != nil {
		return b, err
	}
	return b, os.Chmod(recipe, 0o644)
}
