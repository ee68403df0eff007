//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/audit"
	"tarot-platform/internal/config"
	"tarot-platform/internal/firewall"
)

// echo answers each line with itself.
const echo = `import socketserver
class H(socketserver.StreamRequestHandler):
  def handle(self):
    for line in self.rfile: self.wfile.write(line)
class S(socketserver.ThreadingTCPServer): daemon_threads = True
S(("", 9000), H).serve_forever()`

// refused ends well where somebody is there who refuses the connection, and not where nobody answers.
const refused = `import socket, sys
try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
except ConnectionRefusedError: sys.exit(0)
sys.exit(1)`

// TestFirewall has two machines, each in a network namespace, ask for a published port: one that nginx.allowFrom names, and one that it does not.
//
//suite:thorough
func TestFirewall(t *testing.T) {
	t.Parallel() // it waits more than it works
	for _, runtime := range []string{"containers", "swarm"} {
		t.Run(runtime, func(t *testing.T) { t.Parallel(); firewalled(t, runtime) })
	}
	t.Run("after a reboot", func(t *testing.T) { t.Parallel(); rebooted(t) })
}

func firewalled(t *testing.T, runtime string) {
	s := newGuarded(t, runtime)
	in, out := newMachine(t), newMachine(t)
	type asked struct {
		of      machine
		address string
		port    int
	}
	all := map[string]asked{}
	for who, m := range map[string]machine{"in": in, "out": out} {
		for family, address := range map[string]string{"4": m.host4, "6": m.host6} {
			all[who+family] = asked{m, address, s.port}
			all[who+family+" neighbour"] = asked{m, address, s.other}
		}
	}
	open := func(when string, shut ...string) {
		t.Helper()
		for name, a := range all {
			if !slices.Contains(shut, name) {
				within(t, 15*time.Second, name+" gets an answer "+when, func() bool { return a.of.reaches(a.address, a.port) })
			} else if a.of.reaches(a.address, a.port) {
				t.Errorf("%s, %s gets an answer", when, name)
			}
		}
		for _, address := range []string{"127.0.0.1", "::1", in.host4, in.host6} {
			within(t, 15*time.Second, "this machine itself gets an answer at "+address+" "+when, func() bool { return reaches(nil, address, s.port) })
		}
	}
	within(t, 20*time.Second, "the server answers", func() bool { return reaches(nil, "127.0.0.1", s.port) && reaches(nil, "127.0.0.1", s.other) })
	open("without rules")

	old := []*line{out.connect(t, out.host4, s.port), out.connect(t, out.host6, s.port)}
	s.wants(in.net4, in.net6)
	s.audits(audit.Fail, "none of the rules")
	if said, _ := s.stack("--check"); !strings.Contains(said, "make firewall STACK="+s.name) {
		t.Errorf("after an up nothing is said: %s", said)
	}
	s.must()
	open("with rules", "out4", "out6")
	if said, err := exec.Command("docker", "run", "--rm", "--entrypoint", "python3", pythonImage, "-c", refused, out.own4, strconv.Itoa(s.port)).CombinedOutput(); err != nil {
		t.Errorf("a container can't ask another machine for the same port: %v: %s", err, said)
	}
	for _, l := range old {
		if !l.lives() {
			t.Error("a connection that was there ends")
		}
	}
	s.audits(audit.Pass, "")
	if said, _ := s.stack("--check"); said != "" {
		t.Errorf("after an up: %s", said)
	}

	first, others := s.rules()
	s.must()
	if again, _ := s.rules(); again != first || strings.Count(first, "-j TAROT-") != strings.Count(s.must("--list"), "-j TAROT-") {
		t.Errorf("twice is not once:\n%s\n%s", first, again)
	}
	s.wants(out.net4) // another list, and none of IPv6
	s.audits(audit.Fail, "other rules")
	s.must()
	open("with another list", "in4", "in6", "out6")

	if _, err := root("iptables", "-w", "-D", "INPUT", "-p", "tcp", "-m", "comment", "--comment", "tarot:"+s.prefix, "-j", firewall.Wish{Stack: s.prefix}.Chain()).Output(); err != nil {
		t.Fatal(err)
	}
	s.audits(audit.Fail, "nothing leads from INPUT")
	s.must("--remove")
	open("after their removal")
	if mine, now := s.rules(); mine != "" || now != others {
		t.Errorf("left behind:\n%s\nothers' rules were\n%s\nand are\n%s", mine, others, now)
	}
	s.wants()
	s.audits(audit.Exception, "")
}

// guarded is what has a published port, and a stack file that says who may come.
type guarded struct {
	t                 *testing.T
	dir, name, prefix string
	tool              string
	port, other       int
}

func newGuarded(t *testing.T, runtime string) *guarded {
	t.Helper()
	id := freeID(t)
	s := &guarded{t: t, dir: t.TempDir(), name: "fw-" + id, prefix: "tarot-fw-" + id, port: freePort(t), other: freePort(t)}
	if err := os.WriteFile(filepath.Join(s.dir, "Pulumi.yaml"), []byte("name: tarot\nruntime: go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.tool = filepath.Join(s.dir, "build-stack")
	if said, err := exec.Command("go", "build", "-o", s.tool, "../../cmd/stack").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	t.Cleanup(s.cleaned)
	labels := []string{"--label", "tarot.stack=" + s.prefix, "--label", "tarot.workload=nginx"}
	if runtime == "swarm" {
		docker(t, "service", "create", "--detach", "--no-resolve-image", "--name", s.prefix, "--container-label", labels[1], "--container-label", labels[3],
			"--publish", fmt.Sprintf("mode=host,target=9000,published=%d", s.port), "--entrypoint", "python3", pythonImage, "-c", echo)
		t.Cleanup(func() { _ = exec.Command("docker", "service", "rm", s.prefix).Run() })
	} else {
		s.serve(s.prefix, s.port, labels...)
	}
	s.serve(s.prefix+"-neighbour", s.other)
	return s
}

func (s *guarded) serve(name string, port int, args ...string) {
	s.t.Helper()
	docker(s.t, slices.Concat([]string{"run", "--detach", "--name", name, "--publish", fmt.Sprintf("%d:9000", port)}, args, []string{"--entrypoint", "python3", pythonImage, "-c", echo})...)
	s.t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", name).Run() })
}

// wants writes who may come.
func (s *guarded) wants(networks ...string) {
	s.t.Helper()
	list, _ := json.Marshal(append([]string{}, networks...))
	text := fmt.Sprintf("config:\n  tarot:nginx:\n    httpPort: %d\n    tls: {mode: 'off'}\n    allowFrom: %s\n", s.port, list)
	if err := os.WriteFile(filepath.Join(s.dir, "Pulumi."+s.name+".yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *guarded) run(args ...string) (string, error) {
	cmd := exec.Command(s.tool, args...)
	cmd.Dir = s.dir
	said, err := cmd.CombinedOutput()
	return string(said), err
}

func (s *guarded) stack(args ...string) (string, error) {
	return s.run(append([]string{"firewall", s.name}, args...)...)
}

func (s *guarded) must(args ...string) string {
	s.t.Helper()
	said, err := s.stack(args...)
	if err != nil {
		s.t.Fatalf("stack firewall %v: %v\n%s", args, err, said)
	}
	return said
}

func (s *guarded) cleaned() {
	if said, err := s.stack("--remove"); err != nil {
		s.t.Errorf("%v: %s", err, said)
	}
}

// audits wants this of the machine.
func (s *guarded) audits(want audit.Result, found string) {
	s.t.Helper()
	cmd := exec.Command(s.tool, "audit", s.name, "--json")
	cmd.Dir = s.dir
	said, _ := cmd.Output()
	var r audit.Report
	if err := json.Unmarshal(said, &r); err != nil {
		s.t.Fatalf("%v\n%s", err, said)
	}
	i := slices.IndexFunc(r.Findings, func(f audit.Finding) bool { return f.Number == "host" })
	if i < 0 {
		s.t.Errorf("audit says nothing of the machine: %s", said)
		return
	}
	f := r.Findings[i]
	if f.Result != want || !strings.Contains(f.Found, found) {
		s.t.Errorf("audit: %s: %s, want %s: %s", f.Result, f.Found, want, found)
	}
}

// rules are the stack's, and those of others that no test here makes.
func (s *guarded) rules() (mine, others string) {
	s.t.Helper()
	for _, command := range []string{"iptables", "ip6tables"} {
		told, err := root(command, "-w", "-S").Output()
		if err != nil {
			s.t.Fatal(err)
		}
		for rule := range strings.Lines(string(told)) {
			switch {
			case strings.Contains(rule, firewall.Wish{Stack: s.prefix}.Chain()):
				mine += rule
			case strings.HasPrefix(rule, "-P ") && !strings.HasPrefix(rule, "-P FORWARD"), strings.HasPrefix(rule, "-A DOCKER-USER") && !strings.Contains(rule, "TAROT-"):
				others += rule
			}
		}
	}
	return mine, others
}

// rebooted runs what is kept for the next start on a machine that has no rules yet.
func rebooted(t *testing.T) {
	m := newMachine(t)
	cfg := config.Defaults()
	cfg.Nginx.AllowFrom = []string{"10.20.0.0/16", "198.51.100.7/32", "2001:db8:1::/48", "2001:db8::7/128"}
	w, err := firewall.Of("tarot-prod", cfg)
	if err != nil {
		t.Fatal(err)
	}
	host := firewall.Host{Six: true, Run: func(_ context.Context, in, name string, args ...string) (string, error) {
		cmd := root("ip", append([]string{"netns", "exec", m.name, name}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}}
	if faults, err := host.Faults(t.Context(), w); err != nil || len(faults) == 0 {
		t.Errorf("a machine without rules: %v, %v", faults, err)
	}
	script := w.Script([]firewall.Found{{Family: firewall.V4, User: true}, {Family: firewall.V6}})
	for range 2 {
		if said, err := host.Run(t.Context(), script, "sh"); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if faults, err := host.Faults(t.Context(), w); err != nil || len(faults) > 0 {
			t.Errorf("%v, %v", faults, err)
		}
	}
	if changed, err := host.Apply(t.Context(), w); err != nil || len(changed) > 0 {
		t.Errorf("applied once more, it changes %v, %v", changed, err)
	}
}

// machine is a network namespace with a cable to this one.
type machine struct {
	name         string
	own4, own6   string
	host4, host6 string // this machine's addresses at the cable
	net4, net6   string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	id := freeID(t)
	n, err := strconv.ParseUint(id[:2], 16, 8) // that which no other has
	if err != nil {
		t.Fatal(err)
	}
	four, six := fmt.Sprintf("198.18.%d", n), fmt.Sprintf("fd00:e2e:%x", n)
	m := machine{"e2e-" + id, four + ".2", six + "::2", four + ".1", six + "::1", four + ".0/24", six + "::/64"}
	here, there := "e2f"+id, "e2g"+id
	ip := func(args ...string) {
		t.Helper()
		if said, err := root("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, said)
		}
	}
	inside := func(args ...string) { t.Helper(); ip(append([]string{"netns", "exec", m.name, "ip"}, args...)...) }
	ip("netns", "add", m.name)
	t.Cleanup(func() { _ = root("ip", "netns", "delete", m.name).Run() })
	ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", m.name)
	t.Cleanup(func() { _ = root("ip", "link", "delete", here).Run() })
	ip("address", "add", m.host4+"/24", "dev", here)
	ip("address", "add", m.host6+"/64", "dev", here, "nodad")
	ip("link", "set", here, "up")
	inside("address", "add", m.own4+"/24", "dev", there)
	inside("address", "add", six+"::2/64", "dev", there, "nodad")
	inside("link", "set", there, "up")
	inside("link", "set", "lo", "up")
	return m
}

// root is a command as root.
func root(name string, args ...string) *exec.Cmd {
	words := append([]string{name}, args...)
	if os.Geteuid() != 0 {
		words = append([]string{"sudo", "-n"}, words...)
	}
	return exec.Command(words[0], words[1:]...)
}

// talk sends each line that it reads to an address, and prints what comes back.
const talk = `exec 3<>"/dev/tcp/$0/$1" && while read -r said; do echo "$said" >&3; read -r -t 5 heard <&3 || heard=nothing; echo "$heard"; done`

func (m machine) reaches(address string, port int) bool {
	return reaches([]string{"ip", "netns", "exec", m.name}, address, port)
}

func reaches(by []string, address string, port int) bool {
	words := slices.Concat(by, []string{"timeout", "3", "bash", "-c", talk, address, strconv.Itoa(port)})
	cmd := root(words[0], words[1:]...)
	cmd.Stdin = strings.NewReader("hello\n")
	said, _ := cmd.Output()
	return string(said) == "hello\n"
}

// line is a connection that stays.
type line struct {
	say  io.Writer
	hear *bufio.Reader
}

func (m machine) connect(t *testing.T, address string, port int) *line {
	t.Helper()
	cmd := root("ip", "netns", "exec", m.name, "bash", "-c", talk, address, strconv.Itoa(port))
	say, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	hear, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = say.Close(); _ = cmd.Wait() })
	l := &line{say, bufio.NewReader(hear)}
	if !l.lives() {
		t.Fatal("there is no connection")
	}
	return l
}

func (l *line) lives() bool {
	_, _ = io.WriteString(l.say, "still\n")
	said, err := l.hear.ReadString('\n')
	return err == nil && said == "still\n"
}
