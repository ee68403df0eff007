//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// pipeline runs the commands of a workflow on this machine, as a runner does that is thrown away.
type pipeline struct {
	*stack
	// given are what GitHub has: vars.X, secrets.X, inputs.X.
	given map[string]string
}

type workflowStep struct {
	Run, If string
	Env     map[string]string
}

// TestDeployOfAPipeline runs the very commands of deploy.yml and rollback.yml, over SSH where there is an
// sshd, and of what they hand over to previews.
//
//suite:thorough
func TestDeployOfAPipeline(t *testing.T) {
	s := releasing(t, "containers")
	if err := os.CopyFS(filepath.Join(s.dir, "toolchain"), os.DirFS("../../toolchain")); err != nil {
		t.Fatal(err)
	}
	s.commit("first")
	p := &pipeline{stack: s, given: map[string]string{"secrets.PULUMI_CONFIG_PASSPHRASE": "e2e", "inputs.release": "", "inputs.forward": "false"}}
	for _, variable := range s.env {
		if url, is := strings.CutPrefix(variable, "PULUMI_BACKEND_URL="); is {
			p.given["vars.PULUMI_BACKEND_URL"] = url
		}
	}
	p.engineBySSH()

	p.must("deploy.yml")
	first := fmt.Sprint(s.outputs()["release"])
	p.handedOver(first)
	if _, err := os.Stat(filepath.Join(s.dir, "build", "remote")); !os.IsNotExist(err) {
		t.Errorf("the key stays on the runner: %v", err)
	}

	s.note("second")
	s.commit("second")
	p.must("deploy.yml")
	second := fmt.Sprint(s.outputs()["release"])
	if first == second {
		t.Fatal("the second deploy is no other release")
	}

	// The runner is a fresh one each time: what the rollback has written into the stack's file is gone.
	p.must("rollback.yml")
	if got := fmt.Sprint(s.outputs()["release"]); got != first {
		t.Errorf("after the rollback %s runs, want %s", got, first)
	}
	s.fresh()
	if said, err := p.runs("deploy.yml"); err == nil || !strings.Contains(said, "make forward STACK="+s.name) {
		t.Errorf("a deploy undoes a rollback unaware: %v\n%s", err, said)
	}
	p.given["inputs.forward"] = "true"
	p.must("rollback.yml")
	if got := fmt.Sprint(s.outputs()["release"]); got != second {
		t.Errorf("after forward %s runs, want %s", got, second)
	}

	if p.given["vars.DEPLOY_KNOWN_HOSTS"] == "" {
		return
	}
	s.fresh()
	right := p.given["vars.DEPLOY_KNOWN_HOSTS"]
	p.given["vars.DEPLOY_KNOWN_HOSTS"] = strings.Fields(right)[0] + " " + publicKey(t, t.TempDir())
	if said, err := p.runs("deploy.yml"); err == nil || !strings.Contains(said, "Host key verification failed") {
		t.Errorf("a host with another key: %v\n%s", err, said)
	}
	p.given["vars.PULUMI_BACKEND_URL"] = ""
	if said, err := p.runs("deploy.yml"); err == nil || !strings.Contains(said, "PULUMI_BACKEND_URL is empty") {
		t.Errorf("a state that is nowhere: %v\n%s", err, said)
	}
}

// commit has git know all of the copy.
func (s *stack) commit(message string) {
	s.t.Helper()
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"-c", "user.name=e2e", "-c", "user.email=e2e@localhost", "commit", "--quiet", "--message", message}} {
		s.git(args...)
	}
}

// fresh is the checkout of another runner.
func (s *stack) fresh() { s.t.Helper(); s.git("checkout", "--quiet", "--", ".") }

func (s *stack) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// handedOver fails where what previews get is not of this commit, or has a secret in it.
func (p *pipeline) handedOver(release string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "build", "preview-state", p.name+".json"))
	if err != nil {
		p.t.Error(err)
		return
	}
	var running struct{ Stack, Commit, Pinned string }
	if err := json.Unmarshal(text, &running); err != nil {
		p.t.Error(err)
	}
	if want := strings.TrimSpace(p.git("rev-parse", "HEAD")); running.Stack != p.name || running.Commit != want || running.Pinned != "" {
		p.t.Errorf("%+v, want %s at %s", running, p.name, want)
	}
	if !strings.Contains(string(text), release) {
		p.t.Errorf("the release %s is not in it", release)
	}
	secrets := p.secrets()
	if len(secrets) == 0 {
		p.t.Error("the stack has no secret to look for")
	}
	for _, secret := range secrets {
		if strings.Contains(string(text), secret) {
			p.t.Error("a secret of the stack is handed over")
		}
	}
}

func (p *pipeline) must(workflow string) {
	p.t.Helper()
	if said, err := p.runs(workflow); err != nil {
		p.t.Fatalf("%s: %v\n%s", workflow, err, said)
	}
}

var expression = regexp.MustCompile(`\$\{\{ *([a-zA-Z_.]+) *\}\}`)

// runs runs the commands of a workflow's one job, and those that are always run after a failure, too.
func (p *pipeline) runs(workflow string) (said string, failed error) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../.github/workflows", workflow))
	if err != nil {
		p.t.Fatal(err)
	}
	var file struct {
		Jobs map[string]struct {
			Env   map[string]string
			Steps []workflowStep
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		p.t.Fatal(err)
	}
	if len(file.Jobs) != 1 {
		p.t.Fatalf("%s has %d jobs", workflow, len(file.Jobs))
	}
	filled := func(value string) string {
		return expression.ReplaceAllStringFunc(value, func(e string) string { return p.given[expression.FindStringSubmatch(e)[1]] })
	}
	for _, j := range file.Jobs {
		for _, step := range j.Steps {
			switch step.If {
			case "", "always()":
			case "${{ inputs.forward }}":
				if p.given["inputs.forward"] != "true" {
					continue
				}
			case "${{ !inputs.forward }}":
				if p.given["inputs.forward"] == "true" {
					continue
				}
			default:
				p.t.Fatalf("%s: this does not know %q", workflow, step.If)
			}
			if step.Run == "" || failed != nil && step.If != "always()" {
				continue
			}
			env := []string{"CI=true", "GITHUB_ACTIONS=true", "TAROT_TOOL_FOLDER=" + filepath.Join(p.dir, "build"), "PULUMI_SKIP_UPDATE_CHECK=true"}
			for _, variable := range os.Environ() {
				if !strings.HasPrefix(variable, "PULUMI_") {
					env = append(env, variable)
				}
			}
			for _, given := range []map[string]string{j.Env, step.Env} {
				for name, value := range given {
					env = append(env, name+"="+filled(value))
				}
			}
			env = append(env, "STACK="+p.name)
			if p.given["vars.DEPLOY_HOST"] == "" { // no sshd here: the same on the engine's own socket
				env = append(env, "DOCKER_HOST=unix:///var/run/docker.sock")
				if step.Run == "make remote" {
					continue
				}
			}
			out, err := p.command(step.Run, env)
			said += "$ " + step.Run + "\n" + out
			if failed == nil {
				failed = err
			}
		}
	}
	return said, failed
}

func (p *pipeline) command(run string, env []string) (string, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-e", "-c", run)
	cmd.Dir, cmd.Env = p.dir, env
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 5 * time.Second // the shared connection lives longer than the command
	started := time.Now()
	err := cmd.Run()
	p.t.Logf("%s: %.1f s", run, time.Since(started).Seconds())
	return said.String(), err
}

// engineBySSH starts an sshd of this test's own on the loopback address, with keys of its own.
func (p *pipeline) engineBySSH() {
	p.t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(program); err != nil || os.Getuid() != 0 {
		p.t.Log("no sshd that this may start: the commands are run on the engine's socket")
		return
	}
	dir, port := p.t.TempDir(), freePort(p.t)
	host, user := publicKey(p.t, filepath.Join(dir, "host")), publicKey(p.t, filepath.Join(dir, "user"))
	authorized := filepath.Join(dir, "authorized")
	configuration := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPasswordAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\nPermitRootLogin prohibit-password\n",
		port, filepath.Join(dir, "host", "key"), authorized)
	for file, text := range map[string]string{authorized: user + "\n", filepath.Join(dir, "conf"): configuration} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where it separates its privileges
		p.t.Fatal(err)
	}
	var said bytes.Buffer
	server := exec.Command(program, "-D", "-e", "-f", filepath.Join(dir, "conf"))
	server.Stderr = &said
	if err := server.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if p.t.Failed() {
			p.t.Logf("sshd:\n%s", said.String())
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	within(p.t, 20*time.Second, "sshd answers", func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	key, err := os.ReadFile(filepath.Join(dir, "user", "key"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.given["vars.DEPLOY_HOST"] = "root@" + address
	p.given["vars.DEPLOY_KNOWN_HOSTS"] = fmt.Sprintf("[127.0.0.1]:%d %s", port, host)
	p.given["secrets.DEPLOY_SSH_KEY"] = string(key)
}

// publicKey makes a key in the folder, and returns its public half.
func publicKey(t *testing.T, folder string) string {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
