package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/backend"
	"tarot-platform/internal/golden"
)

func TestImagesOfAStack(t *testing.T) {
	const python = backend.Python
	all := []string{python, "nginx:1.30", "prom/prometheus:v3.5.3", "prom/alertmanager:v0.33.1", "prom/node-exporter:v1.11.1",
		"ghcr.io/google/cadvisor:v0.60.6", "prom/blackbox-exporter:v0.28.0", "grafana/grafana:12.4.12"}
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"nothing said":  {"", []string{python, "nginx:1.30"}},
		"no nginx":      {"config:\n  tarot:nginx: {enabled: false}\n", []string{python}},
		"a ready image": {"config:\n  tarot:backend: {image: 'registry.example/app:1'}\n", []string{"nginx:1.30"}},
		"monitoring":    {"config:\n  \"tarot:monitoring\": {enabled: true}\n", all},
		"no Grafana":    {"config:\n  tarot:monitoring:\n    enabled: true # all but\n    grafana: {enabled: false}\n", all[:7]},
		"names of stand-ins": {"config:\n  tarot:build: {baseRegistry: standin.invalid/library/}\n  tarot:nginx: {image: 'standin.invalid/library/nginx:1.30'}\n",
			[]string{"standin.invalid/library/" + python, "standin.invalid/library/nginx:1.30"}},
		"a base by its digest": {"config:\n  tarot:build: {baseImages: {'docker.io/library/" + python + "': '" + python + "@sha256:11'}}\n", []string{python + "@sha256:11", "nginx:1.30"}},
		"another Prometheus": {"config:\n  tarot:monitoring: {enabled: true, images: {prometheus: 'prom/prometheus:v4'}}\n",
			append([]string{python, "nginx:1.30", "prom/prometheus:v4"}, all[3:]...)},
		"a secret certificate": {"config:\n  tarot:nginx: {tls: {mode: given}}\n  tarot:tlsKey:\n    secure: v1:x\n", []string{python, "nginx:1.30"}},
		"secrets":              {"encryptionsalt: v1:x\nconfig:\n  tarot:jwtSecretKey:\n    secure: v1:y\n  tarot:backend:\n    databaseUrl:\n      secure: v1:z\n", []string{python, "nginx:1.30"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := imagesOf([]byte(c.file), "")
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v: got  %q\nwant %q", err, got, c.want)
			}
		})
	}
}

// What an upgrade leads to is got before it begins.
func TestImagesOfAnUpgrade(t *testing.T) {
	for file, want := range map[string][]string{"{kind: postgres, version: 17}": {"postgres:17.12", "postgres:18.6"}, "{kind: postgres}": {"postgres:18.6"}} {
		got, err := imagesOf([]byte("config:\n  tarot:database: "+file+"\n"), "upgrade")
		if got = slices.DeleteFunc(got, func(image string) bool { return !strings.HasPrefix(image, "postgres:") }); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %q", file, err, got)
		}
	}
}

// Set-up has to do without a stack, and its list without being told of a part.
func TestSetUpsListIsThatOfTheParts(t *testing.T) {
	var text strings.Builder
	if err := writeImages(&text); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "../../setup/images.txt", text.String())
	for _, line := range strings.Split(strings.TrimSpace(text.String()), "\n")[1:] {
		if kind := strings.Fields(line)[1]; !exists(filepath.Join("../../setup/standins", kind, "Dockerfile")) {
			t.Errorf("%s has no stand-in, for a machine without a registry", kind)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// dev is to come up quickly: it has no monitoring, and its images are not fetched.
func TestImagesOfTheCommittedStacks(t *testing.T) {
	for file, want := range map[string]int{"Pulumi.dev.yaml": 1, "Pulumi.prod.yaml": 10} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := imagesOf(text, ""); err != nil || len(got) != want {
			t.Errorf("%s: %v: %q, want %d images", file, err, got, want)
		}
		if got, err := imagesOf(text, "postgres"); err != nil || !slices.Contains(got, "postgres:18.6") {
			t.Errorf("%s, on its way to PostgreSQL: %v: %q", file, err, got)
		}
	}
}

func TestProjectNameIsReadAsYAML(t *testing.T) {
	for file, want := range map[string]string{
		"name: tarot\nruntime: go\n":                         "tarot",
		"name: \"tarot\"\n":                                  "tarot",
		"name: 'tarot'   # the cards\n":                      "tarot",
		"# name: other\nruntime: go\nname:   tarot # ours\n": "tarot",
		"{name: tarot, runtime: go}\n":                       "tarot",
		"runtime:\n  name: go\nname: tarot\n":                "tarot",
		"runtime:\n  name: go\n":                             "",
		"\tname":                                             "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Chdir(dir)
		got, err := project()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", file, got, err)
		}
	}
}
