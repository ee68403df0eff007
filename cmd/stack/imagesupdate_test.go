package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/images"
	"tarot-platform/internal/scan"
)

func TestImagesUpdateWritesTheLock(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"app", "docker", "second"} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("docker/Dockerfile", "ARG BASE_REGISTRY\nFROM ${BASE_REGISTRY}python:3.11-slim\n")
	write("second/Dockerfile", "FROM node:24\nCOPY --from=python:3.11-slim /x /x\n")
	const file = "Pulumi.test.yaml"
	write(file, `# mine
config:
  tarot:backend: # the application
    dockerfile: ../docker/Dockerfile
  tarot:services:
    db: {image: "postgres:18", command: [x]}
    web:
      context: ./second
  tarot:nginx:
    image: nginx:1.30
  tarot:schedules:
    report: {cron: "@daily", command: [x]}
  tarot:jwtSecretKey:
    secure: v1:y
`)
	sum := func(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }
	digests := map[string]string{"python:3.11-slim": sum("a"), "node:24": sum("b"), "postgres:18": sum("c")}
	digest := func(_ context.Context, name string) (string, error) {
		if digests[name] == "" {
			return "", errors.New("no such host")
		}
		return digests[name], nil
	}
	var told strings.Builder
	run := func(words ...string) error {
		told.Reset()
		version := func(_ context.Context, exact string) string {
			return map[string]string{"nginx:1.30@" + sum("d"): "1.30.2"}[exact]
		}
		between := func(_ context.Context, before, after, _ string, _ config.Scan) (scan.Difference, error) {
			if before == "node:24@"+sum("b") && after == "node:24@"+sum("e") {
				return scan.Difference{Mended: []scan.Finding{{ID: "CVE-2026-1", Severity: "High", Package: "openssl"}}}, nil
			}
			return scan.Difference{}, errors.New("no grype")
		}
		return update{images.Mirrors{}, "linux/amd64", digest, version, between, &told}.run(t.Context(), "test", words)
	}
	before, _ := os.ReadFile(file)
	const head = `# What the tags of images mean, for all stacks: the name, the digest, and the version that it was.
# "make images-update" writes it. To be committed.
`
	lock := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(images.LockFile); err != nil || string(text) != head+want {
			t.Errorf("the lock: %v\n%s", err, text)
		}
	}
	if err := run(); err == nil || !strings.HasSuffix(err.Error(), "they stay as they are:\nnginx.image: nginx:1.30: no such host") {
		t.Errorf("%v", err)
	}
	rest := "node:24 " + sum("b") + "\npython:3.11-slim " + sum("a") + "\npostgres:18 " + sum("c") + "\n"
	lock(rest)
	digests["nginx:1.30"], digests["node:24"] = sum("d"), sum("e")
	if err := run("nginx.image"); err != nil || !strings.Contains(told.String(), "    → 1.30.2, sha256:dddddddddddd\n"+images.LockFile+" has them now") || strings.Contains(told.String(), "node") {
		t.Errorf("%s, %v", told.String(), err)
	}
	lock(rest + "nginx:1.30 " + sum("d") + " 1.30.2\n")
	if err := run(); err != nil || !strings.Contains(told.String(), "node:24\n    sha256:bbbbbbbbbbbb → sha256:eeeeeeeeeeee\n") ||
		!strings.Contains(told.String(), "\n    mends CVE-2026-1 (high) in openssl\n") {
		t.Errorf("%s, %v", told.String(), err)
	}
	if err := run(); err != nil || !strings.HasSuffix(told.String(), "Nothing is new.\n") {
		t.Errorf("%s, %v", told.String(), err)
	}
	if err := run("redis"); err == nil || !strings.Contains(err.Error(), "redis is no image of the stack") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != string(before) {
		t.Errorf("the stack's file: %v\n%s", err, text)
	}

	// What the file has by a digest is written there, and the lock does not have it.
	write(file, strings.Replace(string(before), "nginx:1.30", "nginx:1.30@"+sum("9"), 1))
	write(images.LockFile, "")
	if err := run("nginx.image"); err != nil || !strings.Contains(told.String(), "    sha256:999999999999 → 1.30.2, sha256:dddddddddddd\n  ") || !strings.Contains(told.String(), "    not scanned: no grype\n"+file+" has them now") {
		t.Errorf("%s, %v", told.String(), err)
	}
	text, err := os.ReadFile(file)
	if info, _ := os.Stat(file); err != nil || string(text) != strings.Replace(string(before), "nginx:1.30", "nginx:1.30@"+sum("d"), 1) || info.Mode().Perm() != 0o640 {
		t.Errorf("%s, %v", text, err)
	}
	if text, _ := os.ReadFile(images.LockFile); len(text) > 0 {
		t.Errorf("the lock: %s", text)
	}
	write(images.LockFile, "nginx:1.30\n")
	if err := run(); err == nil || !strings.HasPrefix(err.Error(), images.LockFile+", line 1: ") {
		t.Errorf("%v", err)
	}
}
