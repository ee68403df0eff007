package valkey

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// room has the folders that scripts find, and programs that stand for a server and for its client.
type room struct {
	t      *testing.T
	folder string
}

func newRoom(t *testing.T) room {
	r := room{t, t.TempDir()}
	for _, name := range []string{"secrets", "data", "bin"} {
		if err := os.Mkdir(filepath.Join(r.folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"admin", "app", "exporter", "health"} {
		r.write("secrets/"+name, "the word of "+name)
	}
	r.write("bin/valkey-server", "#!/bin/sh\necho \"serves $1\"\n")
	r.write("bin/sleep", "#!/bin/sh\necho slept >>"+filepath.Join(r.folder, "slept")+"\n")
	return r
}

func (r room) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, name), []byte(text), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

func (r room) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.folder, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// client is a valkey-cli that notes what it is sent and answers so.
func (r room) client(answers string, code int) {
	r.write("bin/valkey-cli", fmt.Sprintf("#!/bin/sh\ncat >%s/sent\nprintf '%%s' '%s'\nexit %d\n", r.folder, answers, code))
}

func (r room) run(script string, words ...string) (string, error) {
	for from, to := range map[string]string{"/run/secrets/": "/secrets/", "/data/users.acl": "/data/users.acl", "/proc/sys/vm/": "/"} {
		script = strings.ReplaceAll(script, from, r.folder+to)
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", "umask 022\n" + script, "script"}, words...)...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(r.folder, "bin")+":"+os.Getenv("PATH"))
	said, err := cmd.CombinedOutput()
	return string(said), err
}

func hash(name string) string { return fmt.Sprintf("#%x", sha256.Sum256([]byte("the word of "+name))) }

const ok5 = "OK\nOK\nOK\nOK\nOK\n"

// What others have been given stays, and what is the server's own is made anew: nobody is let in without a password.
func TestAServerStartsWithItsAccounts(t *testing.T) {
	r := newRoom(t)
	const others = "user app on #12 ~* &* +@all\nuser mine on #34 +ping\n"
	r.write("data/users.acl", "user default on nopass ~* +@all\nuser admin on #56 +@all\nuser health on #78 +@all\n"+others)
	if said, err := r.run(startScript); err != nil || said != "serves /run/config/valkey.conf\n" {
		t.Fatalf("%v: %s", err, said)
	}
	want := "user default off\nuser admin on " + hash("admin") + " -@all +ping +acl|setuser +acl|save\nuser health on " + hash("health") + " -@all +ping\n"
	if got := r.read("data/users.acl"); got != want+others {
		t.Errorf("%s", got)
	}
	if info, err := os.Stat(filepath.Join(r.folder, "data/users.acl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", err, info.Mode())
	}
	if err := os.Remove(filepath.Join(r.folder, "data/users.acl")); err != nil {
		t.Fatal(err)
	}
	if said, err := r.run(startScript); err != nil || r.read("data/users.acl") != want {
		t.Errorf("of a new volume: %v: %s", err, said)
	}
}

// Passwords are added first, and the earlier ones go last; nobody may do more than what he does.
func TestAServerIsToldOfAccounts(t *testing.T) {
	for _, test := range []struct {
		mode   []string
		backup bool
		reset  string
	}{{nil, false, ""}, {[]string{"only"}, false, "resetpass"}, {nil, true, ""}, {[]string{"only"}, true, "resetpass"}} {
		r := newRoom(t)
		r.client(ok5, 0)
		r.write("overcommit_memory", "1\n")
		backup := "ACL SETUSER backup reset"
		if test.backup {
			r.write("secrets/backup", "the word of backup")
			backup = "ACL SETUSER backup on " + test.reset + " " + hash("backup") + " resetkeys resetchannels -@all +ping +sync +psync +replconf"
		}
		if said, err := r.run(usersScript, append([]string{"queue"}, test.mode...)...); err != nil || said != "" {
			t.Fatalf("%v: %s", err, said)
		}
		want := "AUTH admin the word of admin\n" +
			"ACL SETUSER app on " + test.reset + " " + hash("app") + " resetkeys resetchannels -@all ~* &* +@all -@admin -@dangerous +info\n" +
			"ACL SETUSER exporter on " + test.reset + " " + hash("exporter") + " resetkeys resetchannels -@all +ping +info +slowlog|len +slowlog|get +latency|latest +latency|histogram +client|setname\n" +
			backup + "\nACL SAVE\n"
		if got := r.read("sent"); got != want {
			t.Errorf("%+v:\n%s", test, got)
		}
	}
}

// A client ends well also where a command is refused, and a server may need a moment.
func TestAccountsThatAreRefused(t *testing.T) {
	r := newRoom(t)
	r.client("OK\nERR no\nOK\nOK\nOK\n", 0)
	if said, err := r.run(usersScript, "cache"); err == nil || !strings.Contains(said, "ERR no") {
		t.Errorf("%v: %s", err, said)
	}
	r.client("", 1)
	if said, err := r.run(usersScript, "cache"); err == nil || strings.Count(r.read("slept"), "\n") != 9 {
		t.Errorf("%v: %s", err, said)
	}
}

func TestAHostThatRefusesMemory(t *testing.T) {
	for profile, warns := range map[string]bool{"queue": true, "cache": false} {
		r := newRoom(t)
		r.client(ok5, 0)
		r.write("overcommit_memory", "0\n")
		if said, err := r.run(usersScript, profile); err != nil || strings.HasPrefix(said, "warning: ") != warns {
			t.Errorf("%s: %v: %s", profile, err, said)
		}
	}
}

func TestWhatIsHealthy(t *testing.T) {
	for answers, healthy := range map[string]bool{"OK\nPONG\n": true, "OK\nLOADING\n": false, "WRONGPASS\nNOAUTH\n": false, "OK\nnot PONG\n": false, "": false} {
		r := newRoom(t)
		r.client(answers, 0)
		if said, err := r.run(healthScript); (err == nil) != healthy {
			t.Errorf("%q: %v: %s", answers, err, said)
		}
		if sent := r.read("sent"); sent != "AUTH health the word of health\nPING\n" {
			t.Errorf("%q", sent)
		}
	}
}
