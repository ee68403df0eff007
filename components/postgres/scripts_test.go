package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// volume is a folder in place of the volume, and programs in place of PostgreSQL's.
type volume struct {
	t                     *testing.T
	root, bin, conf, said string
}

func newVolume(t *testing.T) *volume {
	dir := t.TempDir()
	v := &volume{t: t, root: filepath.Join(dir, "volume"), bin: filepath.Join(dir, "bin"), conf: filepath.Join(dir, "config"), said: filepath.Join(dir, "said")}
	for _, folder := range []string{v.root, v.bin, v.conf} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	v.write(v.conf+"/layout.sh", layoutScript)
	v.program("initdb", `[ "$1" = --pgdata ] && mkdir "$2" && echo "$VERSION" >"$2/PG_VERSION"; echo "initdb $*" >>"$SAID"`)
	v.program("sync", "true")
	v.program("postgres", `case "$*" in *wrong.conf*) echo 'unrecognized configuration parameter "wrk_mem"'; exit 1 ;; esac; echo "postgres $*" >>"$SAID"; ${WHILE:-true}`)
	return v
}

func (v *volume) write(path, text string) {
	v.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

func (v *volume) program(name, body string) {
	v.t.Helper()
	if err := os.WriteFile(filepath.Join(v.bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		v.t.Fatal(err)
	}
}

// holds has files of the volume, each with a text.
func (v *volume) holds(files map[string]string) {
	for name, text := range files {
		v.write(filepath.Join(v.root, name), text)
	}
}

func (v *volume) command(script, version string, args ...string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "script", version}, args...)...)
	cmd.Env = append(os.Environ(), "ROOT="+v.root, "BIN="+v.bin, "CONFIG="+v.conf, "SOCKETS="+v.root, "SAID="+v.said, "VERSION="+version, "PATIENCE=1",
		"PATH="+v.bin+":"+os.Getenv("PATH"))
	return cmd
}

func (v *volume) run(script, version string, args ...string) (said string, failed bool) {
	v.t.Helper()
	out, err := v.command(script, version, args...).CombinedOutput()
	return string(out), err != nil
}

// asked is what PostgreSQL's programs were started with.
func (v *volume) asked() string {
	text, err := os.ReadFile(v.said)
	if err != nil && !os.IsNotExist(err) {
		v.t.Fatal(err)
	}
	return string(text)
}

func (v *volume) has(name string) bool {
	_, err := os.Lstat(filepath.Join(v.root, name))
	return err == nil
}

func TestWhichVolumesAServerMayHave(t *testing.T) {
	for name, test := range map[string]struct {
		version string
		holds   map[string]string
		want    string // what is said; empty: it may
	}{
		"an empty one":                {"18", nil, ""},
		"its own":                     {"18", map[string]string{"18/docker/PG_VERSION": "18\n", "initialised": ""}, ""},
		"its own, 17":                 {"17", map[string]string{"17/docker/PG_VERSION": "17\n"}, ""},
		"half a new one":              {"18", map[string]string{"18/new/PG_VERSION": "18\n"}, ""},
		"its own after an upgrade":    {"18", map[string]string{"18/docker/PG_VERSION": "18\n", "17/docker/PG_VERSION": "17\n", "17/docker/REPLACED": "by 18"}, ""},
		"a new one beside an old one": {"18", map[string]string{"17/docker/PG_VERSION": "17\n"}, "the volume V has PostgreSQL 17 in 17/docker, which a server of 18 can not read. tarot:database.version 17 goes on with it"},
		"an old one beside a new one": {"17", map[string]string{"18/docker/PG_VERSION": "18\n"}, "the volume V has PostgreSQL 18 in 18/docker, which a server of 17 can not read"},
		"what an upgrade has left":    {"17", map[string]string{"17/docker/PG_VERSION": "17\n", "17/docker/REPLACED": "by 18"}, "was replaced, and is kept for the way back only: by 18"},
		"the layout of images before": {"18", map[string]string{"PG_VERSION": "18\n"}, "the volume V has PostgreSQL 18 in its top, where images before 18 have it"},
		"that of Compose":             {"17", map[string]string{"data/PG_VERSION": "16\n"}, "the volume V has PostgreSQL 16 in data/, where"},
		"Debian's own":                {"18", map[string]string{"17/main/PG_VERSION": "17\n"}, "the volume V has PostgreSQL 17 in 17/main"},
		"another in its place":        {"18", map[string]string{"18/docker/PG_VERSION": "17\n"}, "has something else than PostgreSQL 18 in 18/docker: 17"},
		"one whose data are gone":     {"18", map[string]string{"initialised": ""}, "the volume V had a database, and it is gone: none is made in its place"},
		"without a PG_VERSION":        {"18", map[string]string{"initialised": "", "18/docker/base/1": ""}, "the volume V had a database, and it is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVolume(t)
			v.holds(test.holds)
			said, failed := v.run(layoutScript, test.version, v.root, "V", v.conf+"/postgresql.conf")
			if failed != (test.want != "") || !strings.Contains(said, test.want) {
				t.Errorf("failed %v: %s, want %s", failed, said, test.want)
			}
			// The server looks by itself.
			said, failed = v.run(startScript, test.version)
			if failed != (test.want != "") || failed && strings.Contains(v.asked(), "initdb") {
				t.Errorf("started %v: %s", !failed, said)
			}
		})
	}
}

func TestTheServersOwnWordOnItsSettings(t *testing.T) {
	v := newVolume(t)
	if said, failed := v.run(layoutScript, "18", v.root, "V", "/run/config/wrong.conf"); !failed || !strings.Contains(said, "wrk_mem") || !strings.Contains(said, "PostgreSQL 18 does not take these settings: tarot:database.settings") {
		t.Errorf("failed %v: %s", failed, said)
	}
	if err := os.Remove(v.bin + "/postgres"); err != nil {
		t.Fatal(err)
	}
	if said, failed := v.run(layoutScript, "18", v.root, "V", v.conf); !failed || !strings.Contains(said, "the image has no PostgreSQL 18") {
		t.Errorf("failed %v: %s", failed, said)
	}
}

func TestANewDatabaseIsMadeBesideAndOnce(t *testing.T) {
	v := newVolume(t)
	v.holds(map[string]string{"18/new/PG_VERSION": "18\n", "18/new/half": "", ".s.PGSQL.5432": "", ".s.PGSQL.5432.lock": "8\n"})
	if err := os.Symlink(".", filepath.Join(v.root, "data")); err != nil { // as official images of 18 have it
		t.Fatal(err)
	}
	for range 2 {
		if said, failed := v.run(startScript, "18"); failed {
			t.Fatal(said)
		}
		v.write(filepath.Join(v.root, "18/docker/postmaster.pid"), "8\n")
	}
	asked := v.asked()
	if strings.Count(asked, "initdb ") != 1 || !strings.Contains(asked, "--data-checksums --locale-provider builtin --builtin-locale C.UTF-8 --locale C --auth-local peer --auth-host reject") {
		t.Errorf("%s", asked)
	}
	if strings.Count(asked, "postgres -D "+v.root+"/18/docker -c config_file="+v.conf+"/postgresql.conf -c hba_file="+v.conf+"/pg_hba.conf") != 2 {
		t.Errorf("%s", asked)
	}
	for name, want := range map[string]bool{"18/docker/PG_VERSION": true, "initialised": true, "18/new": false, "18/docker/half": false, "data": false, ".s.PGSQL.5432": false, ".s.PGSQL.5432.lock": false} {
		if v.has(name) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
	if said, failed := v.run(startScript, "18"); failed || v.has("18/docker/postmaster.pid") {
		t.Errorf("what a server that is dead has left is in the way: %s", said)
	}
}

func TestASecondServerIsNotStarted(t *testing.T) {
	v := newVolume(t)
	first := v.command(startScript, "18")
	first.Env = append(first.Env, "WHILE=sleep 60")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Process.Kill(); _ = first.Wait() }()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(v.asked(), "postgres -D"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first one does not start")
		}
	}
	if said, failed := v.run(startScript, "18"); !failed || !strings.Contains(said, "another server has this volume") {
		t.Errorf("failed %v: %s", failed, said)
	}
	if n := strings.Count(v.asked(), "postgres -D"); n != 1 {
		t.Errorf("%d servers", n)
	}
}

func TestUsersAskAgainOnlyWhereNobodyAnswers(t *testing.T) {
	for code, want := range map[int]int{0: 1, 2: 10, 3: 1, 1: 1} {
		v := newVolume(t)
		v.program("sleep", "true")
		v.program("psql", fmt.Sprintf(`cat >>"$SAID.sql"; echo x >>"$SAID"; exit %d`, code))
		cmd := v.command(usersScript, "18", "all", "postgis")
		out, err := cmd.CombinedOutput()
		if (err == nil) != (code == 0) || strings.Count(v.asked(), "x") != want {
			t.Errorf("%d: %v after %d: %s", code, err, strings.Count(v.asked(), "x"), out)
		}
		if sql, _ := os.ReadFile(v.said + ".sql"); !strings.Contains(string(sql), `CREATE EXTENSION IF NOT EXISTS "postgis" CASCADE;`) {
			t.Errorf("%s", sql)
		}
	}
}

// What is in an argument or a variable can be read in /proc.
func TestVerifiersAreInNoArgument(t *testing.T) {
	for name, script := range map[string]string{"start.sh": startScript, "layout.sh": layoutScript, "users.sh": usersScript} {
		if strings.Contains(script, "$(cat /run/secrets") {
			t.Errorf("%s puts a secret into a command", name)
		}
	}
}
