package setup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An engine whose registry has the image of one digest (REGISTRY_HAS), if any: a folder with a file for
// each image, which says whether that is a stand-in, and its digest, and one for each container.
const fakeDocker = `
engine=$ENGINE
file() { printf '%s/images/%s' "$engine" "$(printf %s "$1" | tr '/:' '__')"; }
case "$1 $2" in
"version --format") case $4 in *Arch*) echo amd64 ;; *) echo 20.10 ;; esac ;;
"info --format") echo THE:ENGINE ;;
"image inspect")
  image=${*: -1}
  [ -e "$(file "$image")" ] || exit 1
  read -r standin recipe digest <"$(file "$image")"
  case $4 in
  *RepoDigests*) [ -z "$digest" ] || echo "somewhere@$digest" ;;
  *if*) [ "$standin" = true ] || echo "image $image" ;;
  *recipe*) echo "$standin"; echo "$recipe" ;;
  *version*) echo "$standin"; echo 1; echo today ;;
  *Id*) echo "sha256:$image" ;;
  *) echo "$standin" ;;
  esac ;;
"image ls") [ -z "${ENGINE_FAILS:-}" ] || exit 1; for i in "$engine"/images/*; do [ ! -e "$i" ] || basename "$i"; done ;;
"ps --all") for i in "$engine"/containers/*; do [ ! -e "$i" ] || echo "container $(basename "$i")"; done ;;
"build --tag")
  for argument in "$@"; do case $argument in tarot.standin.recipe=*) recipe=${argument#*recipe=} ;; esac; done
  echo "true $recipe" >"$(file "$3")" ;;
"tag "*) cp "$(file "$2")" "$(file "$3")" ;;
"pull "*)
  case $2 in *"@${REGISTRY_HAS:-nothing}") ;; *) echo "manifest unknown" >&2; exit 1 ;; esac
  echo "<no_value> - $REGISTRY_HAS" >"$(file "$2")"
  echo pulled ;;
"run "*) ;;
*) echo "docker $*" >>"$engine/unknown" ;;
esac
`

// set-up as it is, with stand-ins that take no time.
func newStandins(t *testing.T) (m machine, engine string) {
	t.Helper()
	m = newMachine(t)
	m.program(t, "docker", fakeDocker)
	m.program(t, "mmdebstrap", "")
	engine = filepath.Join(m.home, "engine")
	for _, folder := range []string{"images", "containers"} {
		if err := os.MkdirAll(filepath.Join(engine, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	project := filepath.Join(m.home, "project")
	if err := os.CopyFS(filepath.Join(project, "setup"), os.DirFS(filepath.Join(root, "setup"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"build.sh", "layers.sh"} {
		script := "target=$3; [ -d \"$3\" ] && target=$3/tool.tar; mkdir -p \"$TAROT_CACHE/etc\"; echo 1 >\"$TAROT_CACHE/etc/standin-version\"\n" +
			"tar -cf \"$target\" -C \"$TAROT_CACHE\" ./etc/standin-version\n"
		if err := os.WriteFile(filepath.Join(project, "setup/standins", name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(project, "setup/base-images.sh")
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	short := strings.ReplaceAll(string(text), "/usr/share/keyrings/debian-archive-keyring.gpg", "/dev/null")
	touch(t, filepath.Join(project, "setup/images.txt"), "required python python:3.11-slim\nrequired nginx nginx:1.30\noptional grafana grafana/grafana:12.4.12\nsome valkey valkey/valkey:9.1.2\n")
	touch(t, filepath.Join(project, "setup/test-images.txt"), "# of the tests\ntests node node:24-slim\n")
	if err := os.WriteFile(script, []byte(short), 0o755); err != nil {
		t.Fatal(err)
	}
	m.env = append(m.env, "ENGINE="+engine)
	return m, engine
}

func touch(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is called python:3.11-slim on an engine that others use is what they think it is,
// unless somebody has said otherwise.
func TestWhoMayBearUpstreamsName(t *testing.T) {
	m, engine := newStandins(t)
	driver := filepath.Join(m.home, "driver.sh")
	touch(t, driver, `set -euo pipefail
. setup/lib.sh
. setup/standins/names.sh
is_standin() { [ "$(docker image inspect --format plain "$1" 2>/dev/null)" = true ]; }
look_for_strangers
may_bear python:3.11-slim
`)
	const may, own, refused = 0, 1, 2
	for name, c := range map[string]struct {
		images     map[string]string // what is there, and whether it is a stand-in
		containers []string
		env        []string
		want       int
		says       string
	}{
		"an engine of ours": {want: may},
		"another's image":   {images: map[string]string{"postgres_17": "<no_value>"}, want: refused, says: "others use it, too: image postgres_17 ..."},
		"many others": {images: map[string]string{"a_1": "<no_value>", "b_1": "<no_value>", "c_1": "<no_value>", "d_1": "<no_value>"}, containers: []string{"shop", "mail"},
			want: refused, says: "others use it, too: image a_1, image b_1, image c_1 ..."},
		"an engine that fails":  {env: []string{"ENGINE_FAILS=yes"}, want: own, says: "the engine does not tell"},
		"another's container":   {containers: []string{"shop"}, want: refused, says: "others use it, too: container shop ..."},
		"said yes":              {containers: []string{"shop"}, env: []string{"TAROT_STANDIN_NAMES=yes"}, want: may},
		"said no":               {containers: []string{"shop"}, env: []string{"TAROT_STANDIN_NAMES=no"}, want: own},
		"said no on ours":       {env: []string{"TAROT_STANDIN_NAMES=no"}, want: own},
		"it was there":          {images: map[string]string{"python_3.11-slim": "true"}, containers: []string{"shop"}, want: may},
		"the real one is there": {images: map[string]string{"python_3.11-slim": "<no_value>"}, want: refused, says: "image python_3.11-slim"},
		"built from a stand-in": {images: map[string]string{"shop_1": "true"}, want: may},
	} {
		t.Run(name, func(t *testing.T) {
			for _, left := range append(glob(t, engine, "*/*"), filepath.Join(m.home, "cache/engines-with-standins")) {
				if err := os.Remove(left); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			for image, label := range c.images {
				touch(t, filepath.Join(engine, "images", image), label+"\n")
			}
			for _, container := range c.containers {
				touch(t, filepath.Join(engine, "containers", container), "")
			}
			out, err := m.run(t, c.env, "bash", driver)
			code := 0
			if exit := (&exec.ExitError{}); errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			if code != c.want || !strings.Contains(out, c.says) || strings.Contains(out, "TAROT_STANDIN_NAMES=yes") != (c.want == refused) {
				t.Errorf("%d, want %d and %q:\n%s", code, c.want, c.says, out)
			}
		})
	}
}

// Ours from the first set-up on: what it has pulled and built meanwhile is no stranger's.
// Where others were first, the stand-ins have names of their own if they are said no to, and
// there are none if nothing is said.
func TestStandInsOfTwoEngines(t *testing.T) {
	m, engine := newStandins(t)
	script := filepath.Join(m.home, "project/setup/base-images.sh")
	has := func(image string) bool {
		_, err := os.Stat(filepath.Join(engine, "images", image))
		return err == nil
	}
	out, err := m.run(t, nil, script)
	if err != nil || !has("python_3.11-slim") || !has("nginx_1.30") || !has("grafana_grafana_12.4.12") {
		t.Fatalf("%v\n%s", err, out)
	}
	if has("valkey_valkey_9.1.2") || has("node_24-slim") {
		t.Error("an image that no stack asks for was got")
	}
	if out, err := m.run(t, nil, script, "only", "valkey"); err != nil || !has("valkey_valkey_9.1.2") || has("node_24-slim") {
		t.Errorf("a single one: %v\n%s", err, out)
	}
	if out, err := m.run(t, nil, script, "only", "postgre"); err == nil || !strings.Contains(out, "no image's stand-in is called postgre") {
		t.Errorf("one that there is not: %v\n%s", err, out)
	}
	if out, err := m.run(t, nil, script, "tests"); err != nil || !has("valkey_valkey_9.1.2") || !has("node_24-slim") {
		t.Errorf("those that the tests ask for besides: %v\n%s", err, out)
	}
	touch(t, filepath.Join(engine, "images", "tarot-backend_0123456789abcdef"), "<no_value>\n")
	if err := os.Remove(filepath.Join(engine, "images", "nginx_1.30")); err != nil {
		t.Fatal(err)
	}
	if out, err := m.run(t, nil, script); err != nil || !has("nginx_1.30") {
		t.Errorf("not ours any more: %v\n%s", err, out)
	}

	m, engine = newStandins(t)
	script = filepath.Join(m.home, "project/setup/base-images.sh")
	touch(t, filepath.Join(engine, "images", "postgres_17"), "<no_value>\n")
	if out, err := m.run(t, nil, script); err == nil || !strings.Contains(out, "TAROT_STANDIN_NAMES=no") || len(glob(t, engine, "images/*")) != 1 {
		t.Errorf("without a word: %v\n%s", err, out)
	}
	out, err = m.run(t, []string{"TAROT_STANDIN_NAMES=no"}, script)
	if err != nil || has("python_3.11-slim") || !has("standin.invalid_library_python_3.11-slim") || !has("standin.invalid_grafana_grafana_12.4.12") {
		t.Errorf("names of their own: %v\n%s", err, out)
	}
	if want := "tarot:build.baseRegistry: standin.invalid/library/"; !strings.Contains(out, want) {
		t.Errorf("nothing says %q\n%s", want, out)
	}
	if unknown, err := os.ReadFile(filepath.Join(engine, "unknown")); err == nil {
		t.Errorf("the fake engine does not know\n%s", unknown)
	}
}

// What the tests' applications are built from can be had where no registry is in reach.
func TestTheTestsApplicationsHaveTheirImages(t *testing.T) {
	had := map[string]bool{}
	for _, name := range []string{"images.txt", "test-images.txt"} {
		text, err := os.ReadFile(filepath.Join(root, "setup", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) != 3 || words[0] == "#" {
				continue
			}
			had[words[2]] = true
			if _, err := os.Stat(filepath.Join(root, "setup/standins", words[1], "Dockerfile")); err != nil {
				t.Errorf("%s: no stand-in: %v", name, err)
			}
		}
	}
	files := glob(t, root, "test/apps/*/Dockerfile")
	if len(files) == 0 {
		t.Error("there are no applications")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if image, from := strings.CutPrefix(line, "FROM "); from && !had[strings.TrimSpace(image)] {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
}

// What images.lock has is pulled by its digest, and nothing else takes its place.
func TestImagesOfTheLock(t *testing.T) {
	const locked, other = "sha256:aa", "sha256:bb"
	for name, c := range map[string]struct {
		here, mode string
		env        []string
		want, says string
	}{
		"it is here":                   {"<no_value> - " + locked, "", nil, "<no_value> - " + locked, "as images.lock says"},
		"nothing is":                   {"", "", []string{"REGISTRY_HAS=" + locked}, "<no_value> - " + locked, "as images.lock says"},
		"another one is":               {"<no_value> - " + other, "", []string{"REGISTRY_HAS=" + locked}, "<no_value> - " + locked, "as images.lock says"},
		"another one, and no registry": {"<no_value> - " + other, "", nil, "<no_value> - " + other, "stays: , as pulled or loaded, not the one of images.lock"},
		"the tag is another one":       {"<no_value> - " + other, "", []string{"REGISTRY_HAS=" + other}, "<no_value> - " + other, "not the one of images.lock"},
		"one that was loaded":          {"<no_value>", "", nil, "<no_value>", "not pinned: no registry has given it a digest"},
		"no network is wanted":         {"<no_value> - " + other, "TAROT_BASE_IMAGES=local", nil, "<no_value> - " + other, "not the one of images.lock"},
		"a stand-in with a digest":     {"true - " + other, "TAROT_BASE_IMAGES=local", nil, "true - " + other, "a stand-in built today, not pinned"},
		"no registry has it":           {"", "", nil, "true ", "a stand-in built today, not pinned: no registry has given it a digest"},
	} {
		t.Run(name, func(t *testing.T) {
			m, engine := newStandins(t)
			touch(t, filepath.Join(m.home, "project/images.lock"), "# of all\nnginx:1.30 "+other+"\npython:3.11-slim "+locked+" 3.11.14\n")
			file := filepath.Join(engine, "images/python_3.11-slim")
			if c.here != "" {
				touch(t, file, c.here+"\n")
			}
			out, err := m.run(t, append(c.env, "TAROT_STANDIN_NAMES=yes", "TAROT_CACHE="+filepath.Join(m.home, "cache"), c.mode), "bash", filepath.Join(m.home, "project/setup/base-images.sh"), "only", "python")
			got, _ := os.ReadFile(file)
			if err != nil || !strings.HasPrefix(string(got), c.want) || !strings.Contains(out, c.says) {
				t.Errorf("%v: the engine has %q, want %q and %q:\n%s", err, got, c.want, c.says, out)
			}
		})
	}
}
