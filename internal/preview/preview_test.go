package preview

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/console"
)

const stackFile = `encryptionsalt: v1:salt
config:
  tarot:tlsKey: {secure: v1:one}
  tarot:databaseUrl: {secure: v1:two}
  tarot:jwtSecretKey: {secure: v1:three}
  tarot:backend:
    environment: {API_TOKEN: {secure: v1:four}}
`

// newProject is a repository with files that git knows, would know, ignores, and has lost.
func newProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	git("init", "--quiet")
	write(".gitignore", "/build/\n")
	write("Pulumi.dev.yaml", stackFile)
	write("Pulumi.prod.yaml", stackFile)
	write("app/run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "app/run.sh"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if err := os.Symlink("run.sh", filepath.Join(dir, "app/start")); err != nil {
		t.Fatal(err)
	}
	write("lost.txt", "")
	git("add", "--all")
	if err := os.Remove(filepath.Join(dir, "lost.txt")); err != nil {
		t.Fatal(err)
	}
	write("new.txt", "")
	write("build/left.md", "")
	return dir
}

// fakePulumi is a CLI that writes down how it is called, and then runs a script.
func fakePulumi(t *testing.T, script string) (calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	script = "#!/bin/sh\necho \"$*\" >>'" + log + "'\nargs=\"$*\"\nproject=${args#* --cwd } project=${project%% *}\n" + script
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() []string {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(regexp.MustCompile(`--cwd \S+ --non-interactive`).ReplaceAllString(string(text), "…"), "\n"), "\n")
	}
}

func wrote(t *testing.T, root string, stacks ...string) (comment, heard string, err error) {
	t.Helper()
	file := filepath.Join(root, "build", "comment.md")
	var log bytes.Buffer
	err = Write(t.Context(), root, file, stacks, "", console.Console{To: &log})
	text, missing := os.ReadFile(file)
	if missing != nil && !os.IsNotExist(missing) {
		t.Fatal(missing)
	}
	return string(text), log.String(), err
}

// The preview runs beside the project, with an empty state, and without a secret.
func TestAPreviewOfACopy(t *testing.T) {
	root := newProject(t)
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("PULUMI_ACCESS_TOKEN", "of the team")
	t.Setenv("PULUMI_STACK", "prod")
	t.Setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "/of/the/team")
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "of the team")
	calls := fakePulumi(t, `
case $1 in
stack | config) echo "heard only where it fails" && exit ;;
esac
cd "$project"
echo "state ${PULUMI_BACKEND_URL%/state} is empty: $(ls "${PULUMI_BACKEND_URL#file://}" | wc -l)"
echo "in $PWD: $(git ls-files 2>/dev/null; find . -type f -o -type l | sort | tr '\n' ' ')"
echo "run: $(test -x app/run.sh && readlink app/start)"
echo "set: ${PULUMI_ACCESS_TOKEN-nothing} ${PULUMI_STACK-nothing} ${PULUMI_CONFIG_PASSPHRASE_FILE-nothing} $PULUMI_SKIP_UPDATE_CHECK"
echo "passphrase: ${#PULUMI_CONFIG_PASSPHRASE} $PULUMI_CONFIG_PASSPHRASE" | grep -v team
cat Pulumi.dev.yaml`)
	comment, heard, err := wrote(t, root, "dev")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"state file://(temporary) is empty: 0\n",
		"in .: ./.gitignore ./Pulumi.dev.yaml ./Pulumi.prod.yaml ./app/run.sh ./app/start ./new.txt \n",
		"run: run.sh\n", "set: nothing nothing nothing true\n", "passphrase: 26 ",
	} {
		if !strings.Contains(comment, want) {
			t.Errorf("no %q in\n%s", want, comment)
		}
	}
	for _, never := range []string{"salt", "v1:", "secure", "heard"} {
		if strings.Contains(comment, never) {
			t.Errorf("%q is in\n%s", never, comment)
		}
	}
	want := []string{
		"stack init dev --no-select --secrets-provider passphrase …",
		"config set --stack dev --path tarot:nginx.tls.mode selfSigned …",
		"config set --stack dev --secret tarot:databaseUrl postgresql://a-placeholder-as-long-as-any-secret-has-to-be/db …",
		"config set --stack dev --secret --path tarot:jwtSecretKey a-placeholder-as-long-as-any-secret-has-to-be …",
		"config set --stack dev --secret --path tarot:backend.environment.API_TOKEN a-placeholder-as-long-as-any-secret-has-to-be …",
		"preview --stack dev --diff --color never …",
	}
	if got := calls(); !slices.Equal(got, want) {
		t.Errorf("pulumi was called\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(heard, "==> Preview\n") || !strings.Contains(heard, " bytes\n") {
		t.Errorf("the log is\n%s", heard)
	}
	if text, err := os.ReadFile(filepath.Join(root, "Pulumi.dev.yaml")); err != nil || string(text) != stackFile {
		t.Errorf("the stack file was changed: %v\n%s", err, text)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAPassphraseIsOfOneRun(t *testing.T) {
	one, two := environment(nil, "/state"), environment(nil, "/state")
	if slices.Equal(one, two) {
		t.Errorf("twice %q", one)
	}
}

// Each stack that fails is in the comment with its reason, and those after it with theirs.
func TestPreviewsThatFail(t *testing.T) {
	calls := fakePulumi(t, `
case $* in
*"init prod "*) echo "what init said" && echo "error: no init" >&2 && exit 7 ;;
preview*) echo "compiling the program" >&2 && echo "error: no preview in $project" >&2 && exit 255 ;;
esac`)
	comment, heard, err := wrote(t, newProject(t), "dev", "missing", "prod")
	var failure console.Failure
	if !errors.As(err, &failure) || failure.What != "the preview failed: dev missing prod" {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		"\n### dev: the preview failed\n\n```text\nerror: no preview in .\n```\n",
		"\n### missing: the preview failed\n\n```text\nthere is no Pulumi.missing.yaml\n```\n",
		"\n### prod: the preview failed\n\n```text\nwhat init said\nerror: no init\n```\n",
	} {
		if !strings.Contains(comment, want) {
			t.Errorf("no %q in\n%s", want, comment)
		}
	}
	for _, want := range []string{"dev: the preview failed (status 255)\n        | error: no preview in .\n", "missing: the preview failed (status 1)\n", "prod: the preview failed (status 7)\n"} {
		if !strings.Contains(heard, want) {
			t.Errorf("no %q in\n%s", want, heard)
		}
	}
	if strings.Contains(strings.Join(calls(), "\n"), "init missing") {
		t.Error("a stack was made of no file")
	}
}

func TestNoCommentIsLeftOfAnEarlierRun(t *testing.T) {
	root := newProject(t)
	file := filepath.Join(root, "build", "comment.md")
	if err := os.WriteFile(file, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	fakePulumi(t, "")
	if err := os.RemoveAll(filepath.Join(root, ".git")); err != nil {
		t.Fatal(err)
	}
	comment, _, err := wrote(t, root, "dev")
	if err == nil || !strings.Contains(err.Error(), "git ls-files") || comment != "" {
		t.Errorf("%v, %q", err, comment)
	}
	t.Setenv("PATH", t.TempDir())
	if _, _, err := wrote(t, root, "dev"); err == nil || !strings.Contains(err.Error(), "there is no pulumi on the PATH") {
		t.Errorf("%v", err)
	}
}

// An image's hash is made of what everybody may read, too: the copy has to have the same.
func TestTheCopyHasThePermissions(t *testing.T) {
	root, to := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "app", "closed"), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"app/run.sh": 0o755, "app/closed/file": 0o640} {
		if err := os.WriteFile(filepath.Join(root, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("git", "init", "--quiet", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if err := copyProject(t.Context(), root, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"app": 0o755, "app/closed": 0o750, "app/run.sh": 0o755, "app/closed/file": 0o640} {
		if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info, err, want)
		}
	}
}
