//go:build e2e

package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A secret inside an object of the configuration is refused with the command that it takes, whoever asks:
// nothing is made, and its value is in nothing that anybody could read.
//
//suite:core
func TestASecretInsideAnObjectIsRefused(t *testing.T) {
	t.Parallel() // with those that ask for little of the machine
	s := prodStack(t, nil)
	canary := "canary-" + s.id + "-inside-an-object"
	places := map[string]string{
		"backend.environment.API_KEY":         "backend.secretEnvironment",
		"services.worker.environment.API_KEY": "a service's is named in its secrets",
		"services.worker.command[1]":          "a service's is named in its secrets",
		"schedules.nightly.command[1]":        "a schedule has the secrets of",
		"build.args.TOKEN":                    "build.secrets",
		"routes.shop.host":                    "nothing in it is a secret",
		"monitoring.alerts.email.username":    "tarot:alertWebhookUrl",
		"backup.accessKey":                    "tarot:backupSecret",
		"nginx.serverNames[0]":                "tarot:tlsCertificate",
		"database.external.tls":               "tarot:databaseUrl",
		"volumes.driverOptions.password":      "nothing in it is a secret",
		"logging.options.token":               "nothing in it is a secret",
	}
	words := []string{"config", "set-all", "--path"}
	for path := range places {
		words = append(words, "--secret", "tarot:"+path+"="+canary)
	}
	s.mustRun(words...)
	if shown := s.mustRun("config", "--show-secrets", "--json"); !strings.Contains(shown, canary) {
		t.Fatalf("it is not there to be found:\n%s", shown)
	}
	said := map[string]string{}
	for _, command := range []string{"preview", "up"} {
		words := map[string][]string{"preview": {"preview", "--json"}, "up": {"up", "--yes", "--skip-preview"}}[command]
		text, err := s.run(words...)
		if err == nil {
			t.Errorf("%s succeeded\n%s", command, text)
		}
		said["what `pulumi "+command+"` says"] = text
	}
	for path, want := range places {
		refused := "tarot:" + path + ": a secret is not allowed here"
		text := said["what `pulumi up` says"]
		if _, rest, there := strings.Cut(text, refused); !there || !strings.Contains(strings.SplitN(rest, "\n", 2)[0], want) {
			t.Errorf("%s is not refused with %q:\n%s", path, want, text)
		}
	}
	said["the state"] = s.mustRun("stack", "export")
	said["the outputs"] = s.mustRun("stack", "output", "--json")
	look := s.operator()
	for _, command := range [][]string{{"rotate", s.name}, {"status", s.name}, {"audit", s.name}} {
		said["stack "+command[0]], _ = look(command...)
	}
	for place, text := range said {
		if strings.Contains(text, canary) {
			t.Errorf("its value is in %s:\n%s", place, text)
		}
	}
	for _, folder := range []string{s.dir, s.stateFolder()} {
		_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || filepath.Base(path) == "build-stack" {
				return err
			}
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), canary) {
				t.Errorf("its value is in %s", path)
			}
			return nil
		})
	}
	if left := s.made(); len(left) > 0 {
		t.Errorf("made all the same: %s", strings.Join(left, ", "))
	}
}

// stateFolder is where Pulumi keeps the stack's state.
func (s *stack) stateFolder() string {
	for _, variable := range s.env {
		if folder, found := strings.CutPrefix(variable, "PULUMI_BACKEND_URL=file://"); found {
			return folder
		}
	}
	s.t.Fatal("the state is nowhere")
	return ""
}
