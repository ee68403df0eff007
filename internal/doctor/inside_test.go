package doctor

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is run in containers is run here, by this machine's shell.
func TestWhatAContainerIsAsked(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"nginx/current/name":          "c0ffee",
		"nginx/current/nginx.conf":    "    server one:8000 resolve max_fails=1 fail_timeout=1s;\n    server one:8000 resolve backup weight=10000 max_fails=0;\n    server 10.0.0.2:8000 backup max_fails=0;\n",
		"nginx/current/candidate.map": `"~^word\.(?<x>.*)$" $x;`,
		"static/.published/abc":       "",
		"static/r/abc/style.css":      "",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	said, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", shellScript, "doctor", "room="+folder, "write="+folder, "write="+folder+"/none", "write=/proc/version", "write=/proc",
		"name=localhost", "name=nobody.invalid", "net=", "killed=", "nginx="+folder+"/nginx", "static="+folder+"/static", "static="+folder+"/none").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	var in inside
	for line := range strings.Lines(string(said)) {
		in.said = append(in.said, strings.Split(strings.TrimRight(line, "\n"), "\t"))
	}
	if room := in.of("room"); len(room) != 1 || len(room[0]) != 4 || room[0][0] != folder || strings.Trim(room[0][3], "0123456789") != "" {
		t.Errorf("room: %q", room)
	}
	if inodes := in.of("inodes"); len(inodes) != 1 || len(inodes[0]) != 4 {
		t.Errorf("inodes: %q", inodes)
	}
	if w := in.of("write"); len(w) != 4 || w[0][1] != "" || w[1][1] != "missing" || w[3][1] == "" {
		t.Errorf("write: %q", w)
	}
	names := map[string]string{}
	for _, line := range in.of("name") {
		names[line[0]] = line[1]
	}
	if address, asked := names["one"]; len(names) != 3 || names["localhost"] == "" || names["nobody.invalid"]+address != "" || !asked || !strings.HasSuffix(string(said), "end\n") {
		t.Errorf("name: %q", names)
	}
	if in.word("configuration") != "c0ffee" || len(in.of("upstream")) != 1 || in.word("upstream") != "one" || in.word("serves") != "" {
		t.Errorf("nginx: %s", said)
	}
	if s := in.of("static"); len(s) != 2 || s[0][0] != "r/abc/style.css" || s[1][0] != "" {
		t.Errorf("static: %q", s)
	}
	if len(in.of("route")) != 1 || len(in.of("killed")) != 1 {
		t.Errorf("route or killed: %s", said)
	}
}

func TestWhatVariablesNameIsTried(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no Python here")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	folder := t.TempDir()
	secret, broken := filepath.Join(folder, "secret"), filepath.Join(folder, "broken.db")
	for file, text := range map[string]string{secret: "redis://:pass-word@" + listener.Addr().String() + "/0\n", broken: strings.Repeat("no database ", 100)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", pythonScript)
	cmd.Dir = folder
	cmd.Env = []string{"DATABASE_URL=postgresql+psycopg://user:pass-word@nobody.invalid/x", "CACHE_URL_FILE=" + secret, "FILE=sqlite:///./broken.db", "GONE=sqlite:////nowhere/x.db",
		"BAD_URL=postgresql://user:pass-word@host:port/x", "CLOSED=redis://127.0.0.1:1/0", "HOME_PAGE=https://example.org", "COLOUR=red:blue"}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if strings.Contains(string(said), "pass-word") {
		t.Errorf("a password is shown: %s", said)
	}
	found := map[string]address{}
	for line := range strings.Lines(string(said)) {
		var a address
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		found[a.Name] = a
	}
	for name, want := range map[string]string{"DATABASE_URL": "the name nobody.invalid is not known", "FILE": "not a database", "GONE": "there is no folder /nowhere", "BAD_URL": "it is no address",
		"CLOSED": "127.0.0.1 port 1"} {
		if !strings.Contains(found[name].Error, want) {
			t.Errorf("%s: %+v, and should say %q", name, found[name], want)
		}
	}
	if a := found["CACHE_URL"]; a.Error != "" || a.To != listener.Addr().String() || len(found) != 6 {
		t.Errorf("%d addresses, %+v", len(found), a)
	}
}
