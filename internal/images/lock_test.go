package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var one, two = "sha256:" + strings.Repeat("1", 64), "sha256:" + strings.Repeat("2", 64)

func TestTheLockKeepsWhatPeopleWrote(t *testing.T) {
	file := filepath.Join(t.TempDir(), LockFile)
	lock, err := ReadLock(file)
	if err != nil || !lock.Empty() || string(lock.Text()) == "" {
		t.Fatalf("one that is not there: %v", err)
	}
	if _, is := lock.Of("nginx:1.30"); is {
		t.Error("one that is not there locks something")
	}
	if err := os.WriteFile(file, []byte("# ours\nnginx:1.30 "+one+" 1.30.1\n\n# waits for #7\nprom/prometheus:v3 "+two+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if lock, err = ReadLock(file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nginx:1.30", "docker.io/library/nginx:1.30"} {
		if got, is := lock.Of(name); !is || got != (Locked{one, "1.30.1"}) {
			t.Errorf("%s is %v", name, got)
		}
	}
	for _, name := range []string{"nginx", "nginx:1.31", "nginx:1.30@" + two, "", "registry.example/nginx:1.30"} {
		if got, is := lock.Of(name); is {
			t.Errorf("%s is %v", name, got)
		}
	}
	for _, c := range []struct{ name, version string }{{"nginx:1.30", "1.30.2"}, {"docker.io/library/postgres", ""}} {
		if lock, err = lock.With(c.name, Locked{two, c.version}); err != nil {
			t.Fatal(err)
		}
	}
	if want := "# ours\nnginx:1.30 " + two + " 1.30.2\n\n# waits for #7\nprom/prometheus:v3 " + two + "\npostgres:latest " + two + "\n"; string(lock.Text()) != want {
		t.Errorf("%s", lock.Text())
	}
	if _, err := lock.With("nginx:1.30", Locked{"sha256:1", ""}); err == nil {
		t.Error("a registry's nonsense is locked")
	}
	fresh, err := Lock{}.With("nginx:1.30", Locked{one, ""})
	if text := string(fresh.Text()); err != nil || !strings.HasPrefix(text, "# What the tags") || !strings.HasSuffix(text, "\nnginx:1.30 "+one+"\n") {
		t.Errorf("%s, %v", text, err)
	}
	if again, err := parseLock(string(fresh.Text())); err != nil || string(again.Text()) != string(fresh.Text()) {
		t.Errorf("%s, %v", again.Text(), err)
	}
}

func TestALockThatSaysNothing(t *testing.T) {
	for text, want := range map[string]string{
		"nginx:1.30":                             "line 1: \"nginx:1.30\" is not allowed; allowed: a name, a digest",
		"# a\nnginx:1.30 sha256:12":              "line 2: ",
		"nginx:1.30 " + one + " 1 2":             "allowed: a name, a digest",
		"nginx:1.30@" + one + " " + one:          "allowed: an image's name with its tag",
		"NGINX:1.30 " + one:                      "allowed: an image's name with its tag",
		"nginx " + one + "\nnginx:latest " + two: "line 2: nginx:latest is there twice",
	} {
		file := filepath.Join(t.TempDir(), LockFile)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadLock(file); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), file+", line ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnImageIsTheOneOfTheLockForAllWhoAsk(t *testing.T) {
	var asked, told []string
	locate := func(_ context.Context, name, digest, mirrored string) (string, string, error) {
		asked = append(asked, name+" "+mirrored)
		switch name {
		case "stand:in":
			return name, name + " is a stand-in", nil
		case "not:there":
			return "", "", errors.New("not to be had")
		}
		return mirrored + "@" + digest, "", nil
	}
	lock := locked(t, "nginx:1.30 "+one+"\nstand:in "+one+"\nnot:there "+one+"\n")
	exact := lock.Exact(locate, Mirrors{Hub: "mirror/library/"}, func(text string) { told = append(told, text) })
	for name, want := range map[string]string{"docker.io/library/nginx:1.30": "mirror/library/nginx:1.30@" + one, "stand:in": "stand:in", "other:1": "other:1", "nginx:1.30@" + two: "nginx:1.30@" + two} {
		for range 2 {
			if got, err := exact(t.Context(), name); got != want || err != nil {
				t.Errorf("%s is %s, %v", name, got, err)
			}
		}
	}
	if got, err := exact(t.Context(), "not:there"); err == nil {
		t.Errorf("%s", got)
	}
	if len(asked) != 3 || len(told) != 1 || told[0] != "stand:in is a stand-in" {
		t.Errorf("asked %q, told %q", asked, told)
	}
}
