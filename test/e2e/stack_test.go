//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// stack is a copy of the project with a stack of its own.
type stack struct {
	t     *testing.T
	dir   string // the copy of the project
	app   string // the application's folder in it
	name  string
	id    string // of this run
	env   []string
	https int
	http  int
	// stubborn: in Swarm, a program of it does not end at SIGTERM, and Pulumi's own destroy gives
	// up (docs/services.md).
	stubborn bool
}

// commandTime is longer than any command here takes, and shorter than the time
// that the test as a whole has.
const commandTime = 10 * time.Minute

// project is what a stack is made of.
type project struct {
	copy    func(t *testing.T, to string)
	program func() (string, error) // compiled; returns its path
}

// newStack copies the project and makes a stack with the values of a committed
// stack file, changed by the overrides ("backend.replicas": 5). What has one
// owner on a machine (ports, networks, volumes) is its own.
func newStack(t *testing.T, file string, overrides map[string]any) *stack {
	t.Helper()
	return newStackOf(t, project{copyProject, program}, file, overrides)
}

func newStackOf(t *testing.T, p project, file string, overrides map[string]any) *stack {
	t.Helper()
	s := &stack{t: t, dir: t.TempDir(), app: "app", id: freeID(t), http: freePort(t), https: freePort(t)}
	s.name = "e2e-" + s.id
	s.put(p)
	state := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "PULUMI_BACKEND_URL=file://"+state, "PULUMI_CONFIG_PASSPHRASE=e2e", "PULUMI_SKIP_UPDATE_CHECK=true")
	values := map[string]any{
		"nginx.httpPort": s.http, "nginx.httpsPort": s.https, "backend.publishPort": 0, "backend.debuggerPort": 0,
		"networks.edgeSubnet":       s.subnet(214),
		"networks.backendSubnet":    s.subnet(215),
		"networks.monitoringSubnet": s.subnet(217),
		"monitoring.enabled":        false, // but where a test is about it
		"backup.enabled":            false,
		"volumes.data":              s.volume("data"),
	}
	for key, value := range overrides {
		values[key] = value
	}
	s.writeConfig(file, values, unencrypted)
	s.mustRun("stack", "init", s.name)
	t.Cleanup(s.remove)
	return s
}

// put has the folder be a copy of the project.
func (s *stack) put(p project) {
	s.t.Helper()
	p.copy(s.t, s.dir)
	exe, err := p.program()
	if err != nil {
		s.t.Fatal(err)
	}
	s.writeProject(exe)
}

// thirds are the third numbers of the subnets of the stacks that are there.
var thirds sync.Map

// freeID draws an id whose subnets no other stack of this run has at the moment.
func freeID(t *testing.T) string {
	for {
		id := make([]byte, 3)
		_, _ = rand.Read(id)
		if _, taken := thirds.LoadOrStore(id[0], true); !taken {
			t.Cleanup(func() { thirds.Delete(id[0]) })
			return hex.EncodeToString(id)
		}
	}
}

// subnet is one of the stack's own, of those that begin with 10 and the second number.
func (s *stack) subnet(second int) string {
	third, err := strconv.ParseUint(s.id[:2], 16, 8)
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("10.%d.%d.0/24", second, third)
}

// in lets a subtest fail instead of its parent.
func (s *stack) in(t *testing.T) (back func()) {
	parent := s.t
	s.t = t
	return func() { s.t = parent }
}

func (s *stack) volume(kind string) string { return "e2e-" + s.id + "-" + kind }

func (s *stack) prefix() string { return "tarot-" + s.name }

func (s *stack) configFile() string { return filepath.Join(s.dir, "Pulumi."+s.name+".yaml") }

// unencrypted leaves out what only the passphrase of the user's own stack opens.
func unencrypted(document map[string]any) {
	delete(document, "encryptionsalt")
	values := document["config"].(map[string]any)
	for key, value := range values {
		if tree, ok := value.(map[string]any); ok && tree["secure"] != nil {
			delete(values, key)
		}
	}
}

func (s *stack) writeConfig(file string, values map[string]any, edits ...func(map[string]any)) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		s.t.Fatal(err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(data, &document); err != nil {
		s.t.Fatal(err)
	}
	for _, edit := range edits {
		edit(document)
	}
	for key, value := range values {
		set(document["config"].(map[string]any), "tarot:"+key, value)
	}
	if data, err = yaml.Marshal(document); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.configFile(), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func set(tree map[string]any, path string, value any) {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		tree[head] = value
		return
	}
	if _, ok := tree[head].(map[string]any); !ok {
		tree[head] = map[string]any{}
	}
	set(tree[head].(map[string]any), rest, value)
}

// config changes a value in the stack's file, as an editor would: the CLI takes a second for
// it. Items of a list are set by the CLI.
func (s *stack) config(path string, value any) {
	s.t.Helper()
	if strings.Contains(path, "[") {
		s.mustRun("config", "set", "--path", "tarot:"+path, fmt.Sprint(value))
		return
	}
	s.writeConfig(filepath.Base(s.configFile()), map[string]any{path: value})
}

// run returns what the CLI printed on both streams.
func (s *stack) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	args = append(args, "--non-interactive", "--color", "never")
	if args[0] != "stack" || args[1] != "init" {
		args = append(args, "--stack", s.name)
	}
	cmd := exec.CommandContext(ctx, "pulumi", args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	started := time.Now()
	err := cmd.Run()
	s.t.Logf("pulumi %s: %.1f s", strings.Join(args[:min(len(args), 3)], " "), time.Since(started).Seconds())
	return out.String(), err
}

func (s *stack) mustRun(args ...string) string {
	s.t.Helper()
	out, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("pulumi %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *stack) up() string { s.t.Helper(); return s.mustRun("up", "--yes", "--skip-preview") }

// unchanged fails where a refresh or an `up` would change something. A refresh that changes
// nothing leaves the state as it was, so an `up` before it would say the same as the one after.
func (s *stack) unchanged() {
	s.t.Helper()
	s.mustRun("refresh", "--yes", "--skip-preview", "--expect-no-changes")
	s.mustRun("up", "--yes", "--skip-preview", "--expect-no-changes")
}

// outputs are the stack's outputs, secrets in clear.
func (s *stack) outputs() map[string]any {
	s.t.Helper()
	var values map[string]any
	out := s.mustRun("stack", "output", "--json", "--show-secrets")
	if err := json.Unmarshal([]byte(out), &values); err != nil {
		s.t.Fatalf("stack output: %v\n%s", err, out)
	}
	return values
}

// secrets are the generated values, from the state.
func (s *stack) secrets() []string {
	s.t.Helper()
	var state struct {
		Deployment struct {
			Resources []struct {
				Type    string
				Outputs map[string]any
			}
		}
	}
	out := s.mustRun("stack", "export", "--show-secrets")
	if err := json.Unmarshal([]byte(out), &state); err != nil {
		s.t.Fatal(err)
	}
	var values []string
	for _, r := range state.Deployment.Resources {
		output := map[string]string{"random:index/randomPassword:RandomPassword": "result", "random:index/randomBytes:RandomBytes": "hex"}[r.Type]
		if output != "" {
			sealed, _ := r.Outputs[output].(map[string]any)
			var value string
			if err := json.Unmarshal([]byte(fmt.Sprint(sealed["plaintext"])), &value); err != nil || len(value) < 24 {
				s.t.Fatalf("no generated value in the state: %v", err)
			}
			values = append(values, value)
		}
	}
	if len(values) < 2 { // and the token of the deploys, where there is nginx
		s.t.Fatalf("%d generated secrets, want 2 or more", len(values))
	}
	return values
}

// remove leaves nothing of the stack behind, whatever the test did.
func (s *stack) remove() {
	if s.t.Failed() {
		s.report()
	}
	var out string
	var err error
	if s.stubborn {
		var code int
		if out, code = s.operator()("destroy", s.name, "--yes"); code != 0 {
			err = fmt.Errorf("exit code %d", code)
		}
	} else {
		out, err = s.run("destroy", "--yes", "--skip-preview")
	}
	if err != nil {
		s.t.Errorf("destroy: %v\n%s", err, out)
	}
	s.removeVolumes()
	if left := s.leftovers(); len(left) > 0 {
		s.t.Errorf("left behind: %s", strings.Join(left, ", "))
	}
}

// copyProject copies what git would: what is tracked, and what is new.
func copyProject(t *testing.T, to string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	names, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		if strings.HasPrefix(name, "toolchain/") || strings.HasPrefix(name, "test/") {
			continue
		}
		source, target := filepath.Join("../..", name), filepath.Join(to, name)
		info, err := os.Lstat(source)
		if err != nil {
			continue // tracked, and removed in the working tree
		}
		data, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	readable(t, to)
}

// readable lets a container, which runs as another user, read the mounted code.
func readable(t *testing.T, to string) {
	t.Helper()
	for dir := to; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// program is the Pulumi program, compiled once for all stacks: each copy of the project would
// compile and link it anew, 20 s of a processor's time.
var program = sync.OnceValues(func() (string, error) {
	exe, err := filepath.Abs("../../build/e2e-program")
	if err != nil {
		return "", err
	}
	return exe, compile("../..", exe)
})

func compile(project, exe string) error {
	said, err := exec.Command("go", "build", "-C", project, "-buildvcs=false", "-o", exe, ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}

// writeProject gives the project's name as some people write it: whatever reads it has to read
// YAML. Without a program it is compiled as a user's is.
func (s *stack) writeProject(program string) {
	s.t.Helper()
	text := "name: \"tarot\" # quoted\nruntime:\n  name: go\n"
	if program != "" {
		text += fmt.Sprintf("  options:\n    binary: %q\n", program)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "Pulumi.yaml"), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// freePort finds a port below those that the kernel lends to outgoing
// connections, where it might be taken before it is used.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		number, err := rand.Int(rand.Reader, big.NewInt(10000))
		if err != nil {
			t.Fatal(err)
		}
		port := 20000 + int(number.Int64())
		if l, err := net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}
