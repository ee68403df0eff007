package stackfile

import (
	"os"
	"strings"
	"testing"
)

// A change of one value is a change of one line.
func TestSetLeavesAllElseAsItIs(t *testing.T) {
	for _, name := range []string{"dev", "prod"} {
		file, err := os.ReadFile("../../Pulumi." + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		got, err := Set(file, []string{"tarot:nginx", "image"}, "nginx:1.30@sha256:11")
		if want := strings.Replace(string(file), "image: nginx:1.30\n", "image: nginx:1.30@sha256:11\n", 1); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
		got, err = Set(file, []string{"tarot:build", "baseImages", "python:3.11-slim"}, "python:3.11-slim@sha256:11")
		if want := strings.Replace(string(file), "baseImages: {}\n", "baseImages:\n      python:3.11-slim: python:3.11-slim@sha256:11\n", 1); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

func TestSetMakesWhatIsNotThere(t *testing.T) {
	got, err := Set([]byte("# mine\nencryptionsalt: v1:x\nconfig:\n  tarot:runtime: swarm # why\n"), []string{"tarot:monitoring", "images", "grafana"}, "grafana:1")
	if want := "# mine\nencryptionsalt: v1:x\nconfig:\n  tarot:runtime: swarm # why\n  tarot:monitoring:\n    images:\n      grafana: grafana:1\n"; err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	for _, bad := range []string{"config:\n  tarot:monitoring: 1\n", "{}\n", "config:\n  tarot:monitoring:\n    secure: v1:x\n", "\t"} {
		if got, err := Set([]byte(bad), []string{"tarot:monitoring", "images"}, "x"); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
