//go:build e2e

package workflows

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	commentFile = "build/preview-comment.md"
	commandTime = 15 * time.Minute
	githubLimit = 65536
)

// project is a copy of this one, in which git knows every file.
type project struct {
	t     *testing.T
	dir   string
	state string // Pulumi's, for what the test itself asks of it
	env   []string
}

func newProject(t *testing.T) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir(), state: t.TempDir(), env: os.Environ()}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		source, target := filepath.Join(root, name), filepath.Join(p.dir, name)
		info, err := os.Stat(source)
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
	p.mustRun("git", "init", "--quiet")
	p.add()
	return p
}

func (p *project) add() { p.t.Helper(); p.mustRun("git", "add", "--all") }

func (p *project) run(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	started := time.Now()
	out, err := cmd.CombinedOutput()
	p.t.Logf("%s: %.1f s", strings.Join(command[:min(len(command), 3)], " "), time.Since(started).Seconds())
	return string(out), err
}

func (p *project) mustRun(command ...string) string {
	p.t.Helper()
	out, err := p.run(command...)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return out
}

// pulumi runs with a state and a passphrase of the test's own.
func (p *project) pulumi(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("pulumi", append(args, "--non-interactive")...)
	cmd.Dir = p.dir
	cmd.Env = append(slices.Clone(p.env), "PULUMI_BACKEND_URL=file://"+p.state, "PULUMI_CONFIG_PASSPHRASE=of the team", "PULUMI_SKIP_UPDATE_CHECK=true")
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("pulumi %s: %v\n%s", strings.Join(args, " "), err, messages.String())
	}
	return string(out)
}

func (p *project) comment() string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, commentFile))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// changed is what the last `git add` has not seen.
func (p *project) changed() string {
	return p.mustRun("git", "diff", "--stat") + p.mustRun("git", "ls-files", "--others", "--exclude-standard")
}

// section is what the comment says of a stack.
func section(t *testing.T, comment, stack string) string {
	t.Helper()
	_, rest, ok := strings.Cut(comment, "\n### "+stack+": ")
	if !ok {
		t.Fatalf("the comment has no section on %s\n%s", stack, comment)
	}
	text, _, _ := strings.Cut(rest, "\n### ")
	return text
}

// What the workflow runs, step by step, except for the set-up that the test needs
// itself. The stack files are as a team would commit them: with a salt, and with
// secrets, which the preview can neither read nor needs to.
//
//suite:core
func TestPreviewOfAPullRequest(t *testing.T) {
	p := newProject(t)
	const secret = "correct-horse-battery-staple-and-more"
	deployed := map[string][]string{}
	for _, stack := range []string{"dev", "prod"} {
		p.pulumi("stack", "init", stack, "--no-select", "--secrets-provider", "passphrase")
		p.pulumi("config", "set", "--stack", stack, "--secret", "jwtSecretKey", secret)
		deployed[stack] = images(t, p.pulumi("preview", "--stack", stack, "--json"))
	}
	p.pulumi("config", "set", "--stack", "prod", "--path", "tarot:nginx.tls.mode", "given")
	p.pulumi("config", "set", "--stack", "prod", "--secret", "tlsCertificate", secret)
	p.pulumi("config", "set", "--stack", "prod", "--secret", "tlsKey", secret)
	p.pulumi("config", "set", "--stack", "prod", "--secret", "databaseUrl", "postgresql://shop:"+secret+"@db.internal:5432/shop")
	encrypted := p.mustRun("sed", "-n", "s/^ *secure: //p", "Pulumi.dev.yaml", "Pulumi.prod.yaml")
	if n := strings.Count(encrypted, "v1:"); n != 5 {
		t.Fatalf("%d secrets in the stack files, want 5", n)
	}
	p.add()

	p.env = append(p.env, "TAROT_SWARM_INIT=yes", "PREVIEW_OF=0123abc")
	for _, command := range load(t)["preview.yml"].commands() {
		if strings.HasPrefix(command, "make ") && command != "make setup" && command != "make preview-fetch" {
			p.mustRun(strings.Fields(command)...)
		}
	}
	if changed := p.changed(); changed != "" {
		t.Errorf("left behind: %s", changed)
	}

	comment := p.comment()
	if !strings.HasPrefix(comment, "<!-- tarot-preview -->\n") {
		t.Error("the marker is not the first line")
	}
	if len(comment) > githubLimit {
		t.Errorf("%d bytes, more than GitHub takes", len(comment))
	}
	if !strings.Contains(comment, "Of 0123abc.") {
		t.Error("the commit is not named")
	}
	for stack, workload := range map[string]string{"dev": "docker:index/container:Container", "prod": "docker:index/service:Service"} {
		text := section(t, comment, stack)
		headline, _, _ := strings.Cut(text, "\n")
		if !regexp.MustCompile(`^[1-9][0-9]* to create · `).MatchString(headline) {
			t.Errorf("%s: the headline is %q", stack, headline)
		}
		if !strings.Contains(text, "+ "+workload+": (create)") {
			t.Errorf("%s: no %s is to be created\n%s", stack, workload, text)
		}
		for _, image := range deployed[stack] {
			if !strings.Contains(headline, "`"+image+"`") {
				t.Errorf("%s: the program deploys %s, the headline is %q", stack, image, headline)
			}
		}
	}
	if empty := regexp.MustCompile("`+text\n\\s*`").FindString(comment); empty != "" {
		t.Errorf("an empty block of code\n%s", comment)
	}
	hidden := append(strings.Fields(encrypted), secret, "PRIVATE KEY", "a-placeholder", p.dir, filepath.Join(os.TempDir(), "tarot-preview-"))
	for _, text := range hidden {
		if strings.Contains(comment, text) {
			t.Errorf("in the comment is %q", text)
		}
	}
}

// images are the names of all images in a preview.
func images(t *testing.T, preview string) []string {
	t.Helper()
	var plan struct {
		Steps []struct {
			NewState struct {
				Type   string
				Inputs struct{ Name string }
			}
		}
	}
	if err := json.Unmarshal([]byte(preview), &plan); err != nil {
		t.Fatalf("pulumi preview: %v", err)
	}
	var names []string
	for _, s := range plan.Steps {
		if s.NewState.Type == "docker:index/remoteImage:RemoteImage" {
			names = append(names, s.NewState.Inputs.Name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("no image in a preview of %d steps", len(plan.Steps))
	}
	return names
}

// A preview that fails is a comment with the reason, and the next stack has its own; what
// it quotes cannot end its block of code. A secret inside an object, which can't be read
// here, is refused as it is where it can.
//
//suite:core
func TestPreviewThatFails(t *testing.T) {
	p := newProject(t)
	p.pulumi("stack", "init", "dev", "--no-select", "--secrets-provider", "passphrase")
	p.pulumi("config", "set", "--stack", "dev", "--secret", "--path", "tarot:backend.environment.API_TOKEN", "of the team")
	file := filepath.Join(p.dir, "Pulumi.prod.yaml")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(config), "    replicas: 3\n", "    replicas: \"```\"\n", 1)
	if broken == string(config) {
		t.Fatal("Pulumi.prod.yaml has no three replicas to break")
	}
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	p.add()
	out, err := p.run("make", "preview-comment")
	if err == nil {
		t.Fatalf("make preview-comment succeeded\n%s", out)
	}
	comment := p.comment()
	dev := section(t, comment, "dev")
	if !strings.HasPrefix(dev, "the preview failed\n") || !strings.Contains(dev, "tarot:backend.environment.API_TOKEN: a secret is not allowed here") {
		t.Errorf("the secret in an object is not refused\n%s", comment)
	}
	prod := section(t, comment, "prod")
	if !strings.HasPrefix(prod, "the preview failed\n\n````text\n") || !strings.Contains(prod, "tarot:backend.replicas: \"```\" is not allowed") {
		t.Errorf("the reason is not in the comment\n%s", prod)
	}
	if !strings.Contains(out, "tarot:backend.replicas: ") {
		t.Errorf("the reason is not in the log\n%s", out)
	}
	if changed := p.changed(); changed != "" {
		t.Errorf("left behind: %s", changed)
	}
}
