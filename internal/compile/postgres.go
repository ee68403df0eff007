package compile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tarot-platform/internal/buildcontext"
)

// addition is of an image of PostgreSQL's with a program of Debian's of the same release beside it. One that has
// it already stays as it is.
const addition = `FROM %[1]s
ARG APT_MIRROR=""
USER 0:0
RUN command -v %[2]s >/dev/null || { \
      sed "s#https\?://deb.debian.org#${APT_MIRROR:-http://deb.debian.org}#" /etc/apt/sources.list.d/debian.sources >/tmp/debian.sources \
      && set -- -o Dir::Etc::sourcelist=/tmp/debian.sources -o Dir::Etc::sourceparts=- \
      && apt-get "$@" update && apt-get "$@" install -y --no-install-recommends %[2]s \
      && rm -rf /tmp/debian.sources /var/lib/apt/lists/*; } \
    || { echo "no %[3]s: the image has to be based on Debian, and tarot:build.aptMirror names a nearer archive" >&2; exit 1; }
`

// poolerVersion refuses one that does not know statements that drivers prepare, or how it is stopped.
const poolerVersion = `RUN pgbouncer --version | awk '$1 == "PgBouncer" { split($2, v, "."); good = v[1] > 1 || v[1] == 1 && v[2] >= 23 } END { exit !good }' \
    || { echo "$(pgbouncer --version | head -n 1): 1.23 or later is wanted, which Debian has from trixie on: tarot:database.image" >&2; exit 1; }
`

// Postgres is the context of an image of PostgreSQL's with what archives it, for an os/architecture: pgBackRest has to
// be where the data are and the server that archives them.
func Postgres(platform, image, mirror string) (buildcontext.Build, error) {
	return added("postgres", "pgbackrest", "pgBackRest", "", platform, image, mirror)
}

// Pooler is that of an image with PgBouncer, beside PostgreSQL's own programs, which look whether it answers.
func Pooler(platform, image, mirror string) (buildcontext.Build, error) {
	return added("pooler", "pgbouncer", "PgBouncer", poolerVersion, platform, image, mirror)
}

func added(place, program, called, more, platform, image, mirror string) (buildcontext.Build, error) {
	b := buildcontext.Build{Context: filepath.Join(folder, place, strings.NewReplacer("/", "-", ":", "-", "@", "-").Replace(image+"-"+platform)), Dockerfile: "Dockerfile", Platform: platform, Args: map[string]string{}}
	if mirror != "" {
		b.Args["APT_MIRROR"] = mirror
	}
	if err := os.MkdirAll(b.Context, 0o755); err != nil {
		return b, err
	}
	recipe := filepath.Join(b.Context, b.Dockerfile)
	if err := os.WriteFile(recipe, append(fmt.Appendf(nil, addition, image, program, called), more...), 0o644); err != nil {
		return b, err
	}
	return b, os.Chmod(recipe, 0o644)
}
