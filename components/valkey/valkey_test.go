package valkey

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

// with is a configuration that has all, with a Valkey of the profile.
func with(profile string) part.Context {
	cfg := config.Everything()
	cfg.Cache.Profile = profile
	return part.Context{Config: cfg, Stack: "tarot-test"}
}

func spec(t *testing.T, p part.Part, c part.Context) part.Spec {
	t.Helper()
	s, err := p.Spec(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSettingsOfTheProfiles(t *testing.T) {
	for _, profile := range []string{"cache", "queue"} {
		for _, f := range spec(t, Server{}, with(profile)).Services[0].Files {
			if text, known := f.Text.Known(); f.Name == "valkey.conf" {
				if !known {
					t.Error("it is not known before a deploy")
				}
				golden.Check(t, "testdata/"+profile+".conf", text)
			}
		}
	}
}

// Another password of the application's restarts no server, and nobody outside reaches it.
func TestTheServerKnowsOnlyItsOwnAccounts(t *testing.T) {
	s := spec(t, Server{}, with("queue"))
	server := s.Services[0]
	for _, f := range server.Secrets {
		if f.Secret != adminPassword && f.Secret != healthPassword || f.Variable != "" || f.Export != "" {
			t.Errorf("it has %+v", f)
		}
	}
	if len(server.Secrets) != 2 || len(server.Environment) != 0 || len(server.Ports) != 0 || !slices.Equal(server.Networks, []string{part.Inner}) {
		t.Errorf("%+v", server)
	}
	if server.StopGrace < 30*time.Second || s.Volumes[0].Owner != server.User {
		t.Errorf("it can not write its file down: %v, %q", server.StopGrace, s.Volumes[0].Owner)
	}
	if !server.Exclusive || !s.Volumes[0].Data || s.Volumes[0].Engine != "tarot-test-valkey" {
		t.Error("two could write to its data, or an update remove them")
	}
}

func TestWhatIsOffLeavesTheData(t *testing.T) {
	c := with("queue")
	c.Cache.Enabled = false
	for _, p := range []part.Part{Users{}, Exporter{}} {
		if s := spec(t, p, c); fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", part.Spec{}) {
			t.Errorf("%s: %+v", p.Name(), s)
		}
	}
	s := spec(t, Server{}, c)
	if len(s.Services)+len(s.Images) != 0 || len(s.Volumes) != 1 || s.Volumes[0].Unused != "cache.enabled is false" {
		t.Errorf("%+v", s)
	}
}

// The old password is good until nobody asks a replica that has it.
func TestTwoPasswordsWhileOneIsReplaced(t *testing.T) {
	s := spec(t, Users{}, with("cache"))
	add, only := s.Jobs[0], s.Jobs[1]
	if add.When != part.Before || only.When != part.Drained {
		t.Errorf("at %v and %v", add.When, only.When)
	}
	if !slices.Equal(add.Again, []string{"valkey"}) || !slices.Equal(only.Again, []string{"valkey", add.Name}) {
		t.Errorf("again with %v and %v", add.Again, only.Again)
	}
	if !slices.Equal(add.Command, []string{"/bin/sh", "/run/config/users.sh", "cache"}) || !slices.Equal(only.Command, append(add.Command, "only")) {
		t.Errorf("%q, %q", add.Command, only.Command)
	}
	if add.Warns != "warning: " || only.Warns != add.Warns {
		t.Error("nobody reads what it warns of")
	}
	c := with("cache")
	c.SecretVersions.CachePassword = 3
	for i, secret := range spec(t, Users{}, c).Secrets {
		// The server has the other two, and would restart.
		if want := map[bool]int{true: 3}[secret.Name == appPassword || secret.Name == exporterPassword]; secret.Version != want {
			t.Errorf("%d: %s has the version %d", i, secret.Name, secret.Version)
		}
	}
}

func TestTheApplicationGetsAnAddress(t *testing.T) {
	v := spec(t, Users{}, with("cache")).Application[0]
	if v.Name != "REDIS_URL" || !v.Export || v.Secret != appPassword {
		t.Errorf("%+v", v)
	}
	for password, want := range map[string]string{"abcDEF123": "redis://app:abcDEF123@valkey:6379", "a/b:c@d%e f": "redis://app:a%2Fb%3Ac%40d%25e%20f@valkey:6379"} {
		if got, err := v.Make(password); err != nil || got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

// What is in an argument or a variable can be read in /proc.
func TestPasswordsAreInNoArgument(t *testing.T) {
	for name, script := range map[string]string{"start.sh": startScript, "health.sh": healthScript, "users.sh": usersScript} {
		for line := range strings.Lines(script) {
			if strings.Contains(line, "valkey-cli") && (strings.Contains(line, " -a") || strings.Contains(line, "--pass") || strings.Contains(line, "REDISCLI_AUTH")) {
				t.Errorf("%s: %s", name, line)
			}
			if strings.Contains(line, "$(cat /run/secrets") {
				t.Errorf("%s puts a password into a command: %s", name, line)
			}
		}
	}
}
