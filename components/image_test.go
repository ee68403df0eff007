package components

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/runtime"
	"tarot-platform/internal/config"
)

func TestImageTagIsKnownInAPreviewAndFollowsTheSources(t *testing.T) {
	inProject(t)
	tag := func(changes ...func(*config.Config)) string {
		t.Helper()
		r := succeed(t, stack(t, "prod", changes...), preview)
		image, _ := r.outputs["image"].Value.(string)
		if got := r.get(t, "RemoteImage", "backend-image").at("name"); got != image {
			t.Errorf("builds %v, says %s", got, image)
		}
		if got := r.get(t, "Service", "tarot-test-backend").at("taskSpec", "containerSpec", "image"); got != image {
			t.Errorf("runs %v, says %s", got, image)
		}
		return image
	}
	first := tag()
	if !regexp.MustCompile(`^tarot-backend:[0-9a-f]{16}$`).MatchString(first) {
		t.Errorf("the image is %q", first)
	}
	for name, test := range map[string]struct {
		change func(*config.Config)
		same   bool
	}{
		"replicas":       {func(c *config.Config) { c.Backend.Replicas = 7 }, true},
		"memory":         {func(c *config.Config) { c.Backend.Memory = 1 << 30 }, true},
		"target":         {func(c *config.Config) { c.Backend.Target = "development" }, false},
		"build argument": {func(c *config.Config) { c.Build.Args = map[string]string{"A": "1"} }, false},
		"registry":       {func(c *config.Config) { c.Build.BaseRegistry = "mirror.example/" }, false},
		"platform":       {func(c *config.Config) { c.Build.Platform = "linux/arm64" }, false},
		"engine's own":   {func(c *config.Config) { c.Build.Platform = "linux/amd64" }, true},
	} {
		if got := tag(test.change); (got == first) != test.same {
			t.Errorf("%s: the same tag: %v, want %v", name, got == first, test.same)
		}
	}
	if err := os.WriteFile("app/main.py", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if tag() == first {
		t.Error("a new file is in no new image")
	}
}

func TestImageIsBuiltAsTheConfigurationSays(t *testing.T) {
	inProject(t)
	x := succeed(t, stack(t, "dev", func(c *config.Config) {
		c.Build = config.Build{Scan: c.Build.Scan, BaseRegistry: "mirror.example/", PipIndexURL: "https://pypi.example/simple", Args: map[string]string{"A": "1"}}
	}), up).get(t, "RemoteImage", "backend-image")
	want := map[string]any{
		"context": "./app", "dockerfile": "app/Dockerfile", "target": "development", "platform": "linux/amd64",
		"buildLogFile": ".build/image.log", "builder": "default",
		"buildArgs": map[string]any{"BASE_REGISTRY": "mirror.example/", "PIP_INDEX_URL": "https://pypi.example/simple", "A": "1"},
	}
	if got := x.at("build"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestImagesAreNeverRemovedForTheNextOne(t *testing.T) {
	forEveryStack(t, func(t *testing.T, _ config.Config, r *run) {
		for _, x := range r.find("RemoteImage") {
			if x.at("keepLocally") != true || x.RPC.GetDeleteBeforeReplace() || !x.RPC.GetDeleteBeforeReplaceDefined() {
				t.Errorf("%s: keepLocally %v, deleted first %v", x.Name, x.at("keepLocally"), x.RPC.GetDeleteBeforeReplace())
			}
		}
	})
}

func TestReadyImageIsNotBuilt(t *testing.T) {
	inProject(t)
	const image = "registry.example/app:1.2"
	cfg := stack(t, "prod", func(c *config.Config) { c.Backend.Image, c.Backend.Context = image, "nowhere" })
	r := succeed(t, cfg, up)
	x := r.get(t, "RemoteImage", "backend-image")
	if x.at("build") != nil || x.at("name") != image || r.outputs["image"].Value != image {
		t.Errorf("%v, output %v", x.In, r.outputs["image"].Value)
	}
}

func TestBuildBeginsWithAnEmptyLogAndShowsItWhenItFails(t *testing.T) {
	inProject(t)
	if err := os.Mkdir(".build", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runtime.BuildLog, []byte("of the last time"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := succeed(t, stack(t, "dev"), up)
	if text, err := os.ReadFile(runtime.BuildLog); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
	if hooks := r.get(t, "RemoteImage", "backend-image").RPC.GetHooks().GetOnError(); len(hooks) != 1 {
		t.Errorf("hooks %v", hooks)
	}
}

// Pulumi asks the engine in a refresh only, so what somebody has removed would stay away.
func TestAnImageThatIsGoneIsMadeAgainByAPlainUp(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod as containers")
	there := deploy(cfg, &recorder{}, &fakeEngine{})
	gone := &fakeEngine{missing: []string{there.outputs["image"].Value.(string), cfg.Nginx.Image}}
	for _, s := range []stage{up, preview} {
		r := deploy(cfg, &recorder{stage: s}, gone)
		if r.err != nil {
			t.Fatal(r.err)
		}
		for _, name := range []string{"backend-image", "nginx-image"} {
			now, was := r.get(t, "RemoteImage", name), there.get(t, "RemoteImage", name)
			if now.at("triggers", "missingSince") == nil || len(now.RPC.GetIgnoreChanges()) > 0 || !slices.Contains(now.RPC.GetReplaceOnChanges(), "triggers") {
				t.Errorf("%s: nothing makes it anew: %v", name, now.RPC)
			}
			if was.at("triggers") != nil || !slices.Equal(was.RPC.GetIgnoreChanges(), []string{"triggers"}) {
				t.Errorf("%s is made anew at every `up`: %v", name, was.RPC)
			}
		}
	}
}

func TestAReadyImagesTagIsFixed(t *testing.T) {
	inProject(t)
	moving := func(c *config.Config) { c.Backend.Image = "shop:moving" }
	const fixed = "tarot-backend:00000000000000cc"
	r := deploy(stack(t, "prod as containers", moving), &recorder{}, &fakeEngine{})
	if r.err != nil || r.outputs["image"].Value != fixed || r.get(t, "Container", "tarot-test-backend-1").at("image") != fixed || r.get(t, "RemoteImage", "backend-image").at("name") != fixed {
		t.Errorf("%v, %v", r.outputs["image"].Value, r.err)
	}
	if !slices.Contains(r.engine.asked, "tag shop:moving as "+fixed) || !slices.Contains(r.warnings.texts, "it moves") || labelsOf(r.get(t, "Volume", "release"))["tarot.image"] != fixed {
		t.Errorf("asked %q, warned %q", r.engine.asked, r.warnings.texts)
	}
	if r := deploy(stack(t, "prod", moving), &recorder{stage: preview}, &fakeEngine{}); r.err != nil || len(r.engine.asked) > 0 || r.outputs["image"].Value != fixed {
		t.Errorf("a preview: asked %q, %v", r.engine.asked, r.err)
	}
	if r := deployPinned(stack(t, "prod", moving), &recorder{}, &fakeEngine{}); r.err != nil || r.outputs["image"].Value != "shop:moving" {
		t.Errorf("a pinned release runs %v, %v", r.outputs["image"].Value, r.err)
	}
	if r := deploy(stack(t, "prod", func(c *config.Config) { c.Backend.Image = "shop:1" }), &recorder{}, &fakeEngine{failures: map[string]error{"fix": errors.New("no answer")}}); r.err == nil {
		t.Error("nobody knows what the tag means, and it is deployed")
	}
}

// What is built from another base is another release, as any change of the sources.
func TestABaseImageIsTheOneThatWasSaid(t *testing.T) {
	inProject(t)
	if err := os.WriteFile("app/Dockerfile", []byte("FROM python:3.11-slim\nUSER 10001\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exact := func(digest string) string { return "python:3.11-slim@sha256:" + strings.Repeat(digest, 32) }
	of := func(digest string) registration {
		t.Helper()
		return succeed(t, stack(t, "dev", func(c *config.Config) {
			c.Build.BaseImages = map[string]string{"python:3.11-slim": exact(digest), "other:1": "other:2"}
		}), preview).get(t, "RemoteImage", "backend-image")
	}
	first, second := of("11"), of("22")
	if first.at("name") == second.at("name") {
		t.Errorf("both are %v", first.at("name"))
	}
	_, tag, _ := strings.Cut(first.at("name").(string), ":")
	file, _ := first.at("build", "dockerfile").(string)
	if file != ".build/dockerfiles/"+tag+"/Dockerfile" || first.at("build", "context") != "./app" {
		t.Errorf("%v", first.at("build"))
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "FROM "+exact("11")+"\nUSER 10001\n" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestADockerfileOutsideOfTheContext(t *testing.T) {
	inProject(t)
	if err := errors.Join(os.Mkdir("docker", 0o755), os.WriteFile("docker/Dockerfile", []byte("FROM scratch\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	x := succeed(t, stack(t, "dev", func(c *config.Config) { c.Backend.Dockerfile = "../docker/Dockerfile" }), up).get(t, "RemoteImage", "backend-image")
	if x.at("build", "context") != "./app" || x.at("build", "dockerfile") != "docker/Dockerfile" {
		t.Errorf("%v", x.at("build"))
	}
}

// The provider reads them while the image is built; the state has their paths.
func TestBuildsHaveTheirSecrets(t *testing.T) {
	inProject(t)
	const file, value = ".build/secrets/tarot-test/TOKEN", "not-to-be-seen"
	cfg := stack(t, "dev", func(c *config.Config) {
		c.Build.Secrets, c.Secrets = []string{"TOKEN"}, map[string]string{"TOKEN": value}
	})
	var found string
	var mode os.FileMode
	seen := func(r registration) {
		if r.Name != "backend-image" {
			return
		}
		text, _ := os.ReadFile(file)
		found = string(text)
		if info, err := os.Stat(file); err == nil {
			mode = info.Mode()
		}
	}
	r := deploy(cfg, &recorder{seen: seen}, &fakeEngine{})
	if r.err != nil {
		t.Fatal(r.err)
	}
	if found != value || mode != 0o600 {
		t.Errorf("it found %q, %o", found, mode)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there after it: %v", err)
	}
	if got := r.get(t, "RemoteImage", "backend-image").at("build", "secrets"); !reflect.DeepEqual(got, []any{map[string]any{"id": "TOKEN", "src": file}}) {
		t.Errorf("%v", got)
	}
	for _, x := range r.all {
		if strings.Contains(fmt.Sprint(x.In), value) {
			t.Errorf("%s has it: %v", x.Name, x.In)
		}
	}
	// A preview may be made while another `up` builds.
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(value), 0o600)); err != nil {
		t.Fatal(err)
	}
	if p := deploy(cfg, &recorder{stage: preview}, &fakeEngine{}); p.err != nil {
		t.Error(p.err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestSecretsOfABuildAreNotInItsContext(t *testing.T) {
	inProject(t)
	if err := os.WriteFile("Dockerfile", []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := stack(t, "prod", func(c *config.Config) {
		c.Backend.Context, c.Build.Secrets, c.Secrets = ".", []string{"TOKEN"}, map[string]string{"TOKEN": "x"}
	})
	r := deploy(cfg, &recorder{stage: preview}, &fakeEngine{})
	if r.err == nil || !strings.Contains(r.err.Error(), "the build context . holds the folder .build") {
		t.Errorf("%v", r.err)
	}
	if err := os.WriteFile(".dockerignore", []byte(".build\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := deploy(cfg, &recorder{stage: preview}, &fakeEngine{}); r.err != nil {
		t.Error(r.err)
	}
}
