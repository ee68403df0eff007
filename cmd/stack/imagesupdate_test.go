package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"tarot-platform/internal/images"
)

func TestImagesUpdateWritesTheStackFile(t *testing.T) {
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
	update := func(words ...string) error {
		told.Reset()
		return updateImages(t.Context(), "test", words, images.Mirrors{}, "linux/amd64", digest, &told)
	}
	want := `# mine
config:
  tarot:backend: # the application
    dockerfile: ../docker/Dockerfile
  tarot:services:
    db: {image: "postgres:18@` + sum("c") + `", command: [x]}
    web:
      context: ./second
  tarot:nginx:
    image: nginx:1.30
  tarot:schedules:
    report: {cron: "@daily", command: [x]}
  tarot:jwtSecretKey:
    secure: v1:y
  tarot:build:
    baseImages:
      node:24: node:24@` + sum("b") + `
      python:3.11-slim: python:3.11-slim@` + sum("a") + "\n"
	if err := update(); err == nil || !strings.HasSuffix(err.Error(), "has them as before:\nnginx.image: nginx:1.30: no such host") {
		t.Errorf("%v", err)
	}
	text, err := os.ReadFile(file)
	if info, _ := os.Stat(file); err != nil || strings.ReplaceAll(string(text), "'", `"`) != want || info.Mode().Perm() != 0o640 {
		t.Errorf("%s, %v", text, err)
	}
	digests["nginx:1.30"], digests["node:24"] = sum("d"), sum("e")
	if err := update("nginx.image"); err != nil || !strings.Contains(told.String(), "nginx:1.30@"+sum("d")+"\n"+file+" has them now") || strings.Contains(told.String(), "node") {
		t.Errorf("%s, %v", told.String(), err)
	}
	if err := update(); err != nil || !strings.Contains(told.String(), "node:24@"+sum("b")+"\n    → node:24@"+sum("e")) {
		t.Errorf("%s, %v", told.String(), err)
	}
	if err := update(); err != nil || !strings.HasSuffix(told.String(), "Nothing is new.\n") {
		t.Errorf("%s, %v", told.String(), err)
	}
	if err := update("redis"); err == nil || !strings.Contains(err.Error(), "redis is no image of the stack") {
		t.Errorf("%v", err)
	}
}
