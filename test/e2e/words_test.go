//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What an application says of itself reaches whoever deploys it, and soon: a health
// check that can't run, a variable that it refuses, files that it may not read, a
// database that it can't write. And what the platform says reaches the application: its
// environment in the health check and in a shell, a password in its database's URL.
//
//suite:thorough
func TestOwnWordsOnContainers(t *testing.T) { ownWords(t, "containers") }

//suite:thorough
func TestOwnWordsOnSwarm(t *testing.T) { ownWords(t, "swarm") }

func ownWords(t *testing.T, runtime string) {
	t.Parallel()                 // these wait more than they work
	const site = "words.invalid" // leads nowhere
	source, err := filepath.Abs("testdata/words")
	if err != nil {
		t.Fatal(err)
	}
	s := prodStack(t, map[string]any{"runtime": runtime, "backend.replicas": 1, "backend.memory": "64m", "backend.port": 9000})
	folder := filepath.Join(s.dir, "words")
	if err := os.CopyFS(folder, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	s.config("backend.context", "./words")

	// fails runs an `up` that has to fail with these words, and returns all that it said.
	fails := func(t *testing.T, wants ...string) string {
		t.Helper()
		said, err := s.run("up", "--yes", "--skip-preview")
		if err == nil {
			t.Fatalf("up succeeded:\n%s", said)
		}
		for _, want := range wants {
			if !strings.Contains(said, want) {
				t.Errorf("the error does not say %q:\n%s", want, said)
			}
		}
		return said
	}
	ask := func(t *testing.T) map[string]any {
		t.Helper()
		return get(t, fmt.Sprintf("https://localhost:%d/", s.https), func(r *http.Request) { r.Host = site }).want(t, "the site", 200).json(t)
	}

	t.Run("a variable that it refuses is named with its key", func(t *testing.T) {
		defer s.in(t)()
		fails(t, "does not appear to be an IPv4 or IPv6 address", "tarot:backend.environment.FORWARDED_ALLOW_IPS")
		s.config("backend.environment.FORWARDED_ALLOW_IPS", "*")
	})

	database := "postgresql://tarot:pass-" + s.id + "@db.invalid/tarot"
	t.Run("a database's password, the environment and the site's name reach it", func(t *testing.T) {
		defer s.in(t)()
		s.mustRun("config", "set", "--secret", "tarot:databaseUrl", database)
		s.config("backend.environment.ALLOWED_HOST", site)
		s.config("backend.migrate[0]", "python")
		s.config("backend.migrate[1]", "app.py")
		s.config("backend.migrate[2]", "migrate")
		s.config("nginx.serverNames[0]", site)
		s.up() // its health check asks $PORT, and it answers to nobody but the site
		for what, want := range map[string]any{"database": database, "file": database, "scheme": "https", "env": nil, "port": "9000"} {
			if got := ask(t)[what]; got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		replica := s.one("backend")
		cmd := exec.Command("docker", "exec", "--interactive", replica, "sh", "-i")
		cmd.Stdin = strings.NewReader("echo \"$PORT $DATABASE_URL\"\n")
		if said, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(said), "9000 "+database) {
			t.Errorf("docker exec sh: %v %s", err, said)
		}
		if said := s.docker("exec", replica, "sh", "-c", ". /run/config/environment; exec python -c 'import os; print(os.environ[\"DATABASE_URL\"])'"); !strings.Contains(said, database) {
			t.Errorf("docker exec: %s", said)
		}
		password := "pass-" + s.id
		if strings.Contains(s.inspections(fmt.Sprint(s.outputs()["image"])), password) {
			t.Error("the password is in docker inspect")
		}
		if state := s.mustRun("stack", "export"); strings.Contains(state, password) {
			t.Error("the password is in the state")
		}
		if configs := s.docker("config", "ls", "--quiet"); runtime == "swarm" && strings.TrimSpace(configs) != "" {
			if all := s.docker(append([]string{"config", "inspect", "--pretty"}, strings.Fields(configs)...)...); strings.Contains(all, password) {
				t.Error("the password is in a Swarm config")
			}
		}
		s.unchanged()
		s.config("backend.environment.OTHER", "1") // the second release is asked as a candidate
		s.up()
	})

	t.Run("a health check that can't run ends soon, in its own words", func(t *testing.T) {
		defer s.in(t)()
		defer s.config("backend.dockerfile", "Dockerfile")
		for file, words := range map[string]string{"Dockerfile.curl": "sh: 1: curl: not found", "Dockerfile.missing": ": curl: not found"} {
			s.config("backend.dockerfile", file)
			// Not after the start period and all retries: that is another text.
			fails(t, "its health check can't run", words, "listening")
		}
		ask(t) // what ran still does
	})

	t.Run("files that it may not read are named, and chmod mends it", func(t *testing.T) {
		defer s.in(t)()
		s.docker("run", "--rm", "--volume", folder+":/app", "--entrypoint", "chmod", "python:3.11-slim", "-R", "go-rwx", "/app")
		fails(t, "the user 10001:10001 (tarot:backend.user), which may not read ", "chmod -R go+rX", "Permission denied")
		s.docker("run", "--rm", "--volume", folder+":/app", "--entrypoint", "chmod", "python:3.11-slim", "-R", "go+rX", "/app")
		s.config("backend.environment.OTHER", "2")
		if said := s.up(); strings.Contains(said, "may not read") {
			t.Errorf("it is mended, and told all the same:\n%s", said)
		}
	})

	t.Run("a data folder that it can't write is told, with what mends it", func(t *testing.T) {
		defer s.in(t)()
		s.docker("run", "--rm", "--volume", s.volume("data")+":/data", "--entrypoint", "chown", "python:3.11-slim", "0:0", "/data")
		look := s.operator()
		if said, code := look("status", s.name); code == 0 || !strings.Contains(said, "can't write its data") {
			t.Errorf("status: %d\n%s", code, said)
		}
		said := fails(t, "as user 10001:10001: it can't write its data", "/app/data", "Permission denied")
		mend := regexp.MustCompile(`docker (run --rm --user 0:0 .*)`).FindStringSubmatch(said)
		if mend == nil {
			t.Fatalf("no mend:\n%s", said)
		}
		s.docker(strings.Fields(mend[1])...)
		s.up()
		if said, code := look("status", s.name); strings.Contains(said, "can't write its data") {
			t.Errorf("status: %d\n%s", code, said)
		}
	})
}
