package config

import (
	"slices"
	"strings"
	"testing"
)

func TestBaseImagesAreFoundByWhateverTheyAreCalled(t *testing.T) {
	b := Build{BaseImages: map[string]string{"python": "python@sha256:11", "docker.io/library/nginx:1.30": "mirror.example/nginx:1.30"}}
	for name, want := range map[string]string{"python:latest": "python@sha256:11", "nginx:1.30": "mirror.example/nginx:1.30", "python:3": "python:3"} {
		if got := b.Base(name); got != want {
			t.Errorf("%s stands for %s, want %s", got, name, want)
		}
	}
}

// Nothing that runs has them: none is a secret of the release.
func TestSecretsOfBuildsAreOfBuildsAlone(t *testing.T) {
	inProject(t)
	cfg, err := Load(raw("build", `{"secrets":["TOKEN","BOTH"]}`, "backend", `{"secrets":["BOTH"]}`, "TOKEN", "x", "BOTH", "y"))
	if err != nil || cfg.Secrets["TOKEN"] != "x" || !slices.Equal(cfg.ApplicationSecrets(), []string{"BOTH"}) {
		t.Errorf("%v, %v", cfg.ApplicationSecrets(), err)
	}
	said := RefuseSealed([]string{"tarot:build"}, []string{"tarot:build.args.TOKEN"}).Error()
	if !strings.HasPrefix(said, "tarot:build.args.TOKEN: a secret is not allowed here") || !strings.Contains(said, "is named in build.secrets") {
		t.Error(said)
	}
}
