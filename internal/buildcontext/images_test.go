package buildcontext

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const manyBases = `# syntax=docker/dockerfile:1
ARG BASE_REGISTRY=""
ARG VERSION=3.11 FLAVOUR=slim
# FROM nobody:1
FROM ${BASE_REGISTRY}python:${VERSION}-${FLAVOUR} AS Builder
ARG VERSION=9
RUN <<EOT
FROM inside:1
EOT
FROM --platform=$BUILDPLATFORM \
  golang AS tools
FROM builder
FROM python@sha256:0000000000000000000000000000000000000000000000000000000000000000
FROM "registry.example:5000/team/base-${TARGETARCH}:1"
COPY --from=builder /a /a
COPY --from=0 /a /a
COPY --from=docker.io/library/busybox:1.36 /bin/sh /bin/sh
RUN --mount=type=bind,from=alpine:3,source=/etc,target=/x --mount=type=cache,target=/y true
FROM scratch
`

func build(t *testing.T, dockerfile string) Build {
	t.Helper()
	return Build{Context: tree(t, map[string]string{"Dockerfile": dockerfile}), Dockerfile: "Dockerfile", Platform: "linux/arm64"}
}

func TestImagesAreThoseThatTheDockerfileNames(t *testing.T) {
	for _, test := range []struct {
		name, dockerfile string
		args             map[string]string
		want             []string
	}{
		{"all ways", manyBases, nil, []string{"alpine:3", "busybox:1.36", "golang:latest", "python:3.11-slim", "registry.example:5000/team/base-arm64:1"}},
		{"with arguments", manyBases, map[string]string{"BASE_REGISTRY": "mirror.example/library/", "VERSION": "3.12", "OTHER": "x"},
			[]string{"alpine:3", "busybox:1.36", "golang:latest", "mirror.example/library/python:3.12-slim", "registry.example:5000/team/base-arm64:1"}},
		{"a default of the shell's", "ARG V\nFROM python:${V:-3.13}\n", nil, []string{"python:3.13"}},
		{"one that refers to another", "ARG V=3\nARG T=$V-slim\nFROM python:$T\n", nil, []string{"python:3-slim"}},
		{"none", "FROM scratch\nCOPY x /x\n", nil, nil},
	} {
		b := build(t, test.dockerfile)
		b.Args = test.args
		if got, err := b.Images(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
	for _, bad := range []string{"FROM\n", "FROM Not/An:Image\n", "FROM ${V:?}\n"} {
		if got, err := build(t, bad).Images(); err == nil {
			t.Errorf("%q names %v", bad, got)
		}
	}
}

// A log of the build names lines.
func TestPinnedChangesTheNamesAlone(t *testing.T) {
	b := build(t, manyBases)
	must(t, os.WriteFile(filepath.Join(b.Context, "Dockerfile.dockerignore"), []byte("*.log\n"), 0o644))
	b.BaseImages = map[string]string{"python:3.11-slim": "mirror.example/library/python:3.11-slim@sha256:11", "golang:latest": "golang:latest@sha256:22",
		"busybox:1.36": "busybox:1.36@sha256:33", "alpine:3": "alpine:3@sha256:44", "registry.example:5000/team/base-arm64:1": "base:1@sha256:55", "unused:1": "unused:1@sha256:66"}
	folder := filepath.Join(t.TempDir(), "a", "b")
	pinned, err := b.Pinned(folder)
	must(t, err)
	text, err := os.ReadFile(filepath.Join(pinned.Context, pinned.Dockerfile))
	must(t, err)
	want := strings.NewReplacer(
		"FROM ${BASE_REGISTRY}python:${VERSION}-${FLAVOUR} AS", "FROM mirror.example/library/python:3.11-slim@sha256:11 AS",
		"  golang AS tools", "  golang:latest@sha256:22 AS tools",
		`"registry.example:5000/team/base-${TARGETARCH}:1"`, `base:1@sha256:55`,
		"docker.io/library/busybox:1.36", "busybox:1.36@sha256:33",
		"from=alpine:3,", "from=alpine:3@sha256:44,",
	).Replace(manyBases)
	if string(text) != want {
		t.Errorf("%s", text)
	}
	ignore, err := os.ReadFile(filepath.Join(folder, "Dockerfile.dockerignore"))
	if err != nil || string(ignore) != "*.log\n" {
		t.Errorf("%q, %v", ignore, err)
	}
	if original, _ := os.ReadFile(filepath.Join(b.Context, "Dockerfile")); string(original) != manyBases || pinned.Context != b.Context {
		t.Errorf("the user's own is another one: %s", original)
	}
}

func TestHashKnowsTheBases(t *testing.T) {
	b := build(t, "FROM python:3.11-slim\n")
	before := hashOf(t, b)
	b.BaseImages = map[string]string{"other:1": "other:1@sha256:11"}
	if hashOf(t, b) != before {
		t.Error("an image that it does not name counts")
	}
	b.BaseImages["python:3.11-slim"] = "python:3.11-slim@sha256:22"
	pinned := hashOf(t, b)
	if pinned == before {
		t.Error("its base does not count")
	}
	b.BaseImages["python:3.11-slim"] = "python:3.11-slim@sha256:33"
	if hashOf(t, b) == pinned {
		t.Error("another base is the same")
	}
}

func TestHashReadsADockerfileOutsideOfTheContext(t *testing.T) {
	b := Build{Context: tree(t, map[string]string{"app/main.py": "1", "docker/Dockerfile": "FROM scratch", "docker/other": "1"}) + "/app", Dockerfile: "../docker/Dockerfile"}
	before := hashOf(t, b)
	must(t, os.WriteFile(b.Context+"/../docker/other", []byte("2"), 0o644))
	if hashOf(t, b) != before {
		t.Error("what is beside it counts")
	}
	must(t, os.WriteFile(b.Context+"/../docker/Dockerfile", []byte("FROM other"), 0o644))
	if hashOf(t, b) == before {
		t.Error("it does not count")
	}
	must(t, os.WriteFile(b.Context+"/../docker/Dockerfile.dockerignore", []byte("*.py"), 0o644))
	ignoring := hashOf(t, b)
	must(t, os.WriteFile(b.Context+"/main.py", []byte("2"), 0o644))
	if hashOf(t, b) != ignoring {
		t.Error("the ignore file beside it is not read")
	}
	must(t, os.Remove(b.Context+"/../docker/Dockerfile"))
	if hash, err := b.Hash(); err == nil {
		t.Errorf("without one it is %s", hash)
	}
}

func TestHashKnowsTheNamesOfSecrets(t *testing.T) {
	b := build(t, "FROM scratch\n")
	before := hashOf(t, b)
	b.Secrets = []string{"TOKEN"}
	if hashOf(t, b) == before {
		t.Error("a secret that a build may have does not count")
	}
}
