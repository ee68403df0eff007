package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/internal/compose"
	"tarot-platform/internal/console"
)

// composed is a Pulumi project with a Compose file, where the test is then.
func composed(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"Pulumi.yaml": "name: tarot\nruntime: go\n", "shop/compose.yaml": text, "shop/Dockerfile": "FROM python:3.13\nWORKDIR /srv\n"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (i importing) try(t *testing.T) (out, told string, err error) {
	t.Helper()
	i.from = compose.Source{Files: []string{"shop/compose.yaml"}}
	var value, people bytes.Buffer
	err = i.run(t.Context(), ".", &value, console.Console{To: &people})
	return value.String(), people.String(), err
}

const one = "name: shop\nservices:\n  web:\n    build: .\n    ports: ['80:8000']\n    environment: {API_KEY: hunter2}\n    volumes: ['media:/srv/media']\nvolumes: {media: }\n"

func TestImport(t *testing.T) {
	composed(t, one)
	out, told, err := importing{stack: "shop", backend: "web", keep: []string{"web"}}.try(t)
	if err != nil || out != "" {
		t.Fatalf("%v, %q", err, out)
	}
	for _, want := range []string{
		"Pulumi.shop.yaml is written", "web: tarot:backend\n", "pulumi stack init shop\n", "shop_media (/srv/media) is used as it is",
		"go run ./cmd/stack import shop/compose.yaml --stack shop --backend web --keep web --secret API_KEY | pulumi config set -s shop --secret tarot:API_KEY",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in\n%s", want, told)
		}
	}
	written, err := os.ReadFile("Pulumi.shop.yaml")
	if err != nil || strings.Contains(string(written)+told, "hunter2") || !strings.Contains(string(written), "context: ./shop\n") || !strings.Contains(string(written), "static: tarot-shop-static\n") {
		t.Errorf("%v\n%s", err, written)
	}
	// The command that it told of is one whose file is there by now.
	if out, told, err := (importing{stack: "shop", secret: "API_KEY"}).try(t); err != nil || out != "hunter2" || told != "" {
		t.Errorf("%v, %q, %q", err, out, told)
	}
	if _, _, err := (importing{stack: "shop", secret: "OTHER"}).try(t); err == nil || err.Error() != `there is no secret "OTHER"; there are: API_KEY` {
		t.Errorf("%v", err)
	}
	_, _, err = importing{stack: "shop"}.try(t)
	var undone failed
	if !errors.As(err, &undone) || !strings.Contains(err.Error(), "Pulumi.shop.yaml is there, and is not written over") {
		t.Errorf("%v", err)
	}
	if again, _ := os.ReadFile("Pulumi.shop.yaml"); string(again) != string(written) {
		t.Error("it was written over")
	}
}

func TestAnImportThatFailsWritesNothing(t *testing.T) {
	for _, test := range []struct{ name, text, stack, fault string }{
		{"no certain backend", "services:\n  a: {build: ., ports: ['1:1']}\n  b: {build: ., ports: ['2:2']}\n", "shop", "nothing is written: it is not certain which service is the backend"},
		{"no Compose file", "servicess: {}\n", "shop", "servicess"},
		{"a stack's name that is none", one, "my/shop", `--stack is "my/shop"; allowed: letters, digits, _ . and -`},
	} {
		composed(t, test.text)
		_, told, err := importing{stack: test.stack}.try(t)
		if err == nil || !strings.Contains(err.Error(), test.fault) || told != "" {
			t.Errorf("%s: %v, %q", test.name, err, told)
		}
		if found, _ := filepath.Glob("Pulumi.*.yaml"); len(found) > 0 {
			t.Errorf("%s: %q", test.name, found)
		}
	}
	composed(t, one)
	if err := os.Remove("Pulumi.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (importing{stack: "shop"}).try(t); err == nil || !strings.Contains(err.Error(), "Pulumi.yaml") {
		t.Errorf("%v", err)
	}
}
