package components

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

func withFolders(c *config.Config) {
	c.Backend.WorkingDir, c.Backend.StaticDir = "/code", "staticfiles"
	c.Backend.Volumes = map[string]string{"uploads": "/code/media", "shared": "e2e_shared:/srv/shared"}
	c.Backend.Tmpfs = []string{"/code/cache"}
}

func TestFurtherVolumesAndFoldersAreWhereTheyAreAskedFor(t *testing.T) {
	inProject(t)
	for _, name := range []string{"prod", "prod as containers"} {
		r := succeed(t, stack(t, name, withFolders), up)
		for _, u := range r.units() {
			var got []string
			for _, m := range u.mounts {
				got = append(got, fmt.Sprint(at(m, "source"), ":", at(m, "target")))
			}
			switch u.labels["tarot.workload"] {
			case "backend", "candidate", "migrate":
				for _, want := range []string{"tarot_db_data:/code/data", "tarot_static_data:/code/staticfiles", "tarot_logs:/code/logs", "tarot-test-volume-uploads:/code/media", "e2e_shared:/srv/shared"} {
					if !slices.Contains(got, want) {
						t.Errorf("%s: %s: no %s in %q", name, u.name, want, got)
					}
				}
				memory, _ := u.at("tmpfs").(map[string]any)
				if memory["/code/cache"] == nil && !slices.Contains(got, "<nil>:/code/cache") {
					t.Errorf("%s: %s: no folder in memory: %v, %q", name, u.name, memory, got)
				}
			case "publish-static":
				if !slices.Contains(u.list("envs"), any("STATIC=/code/staticfiles")) {
					t.Errorf("%s: its files are sought elsewhere: %q", name, u.list("envs"))
				}
			case "own-volumes":
				words := u.list("entrypoints")
				if want := []any{"own-volumes", "10001:10001", "data", "/code/data", "static", "-/code/staticfiles", "logs", "/code/logs", "shared", "/srv/shared", "uploads", "/code/media"}; !slices.Equal(words[3:], want) {
					t.Errorf("%s: %q", name, words[3:])
				}
				if !slices.Contains(got, "tarot-test-volume-uploads:/run/volumes/uploads") {
					t.Errorf("%s: %q", name, got)
				}
			}
		}
		v := r.get(t, "Volume", "storage-uploads")
		if v.at("name") != "tarot-test-volume-uploads" || !v.RPC.GetRetainOnDelete() || r.get(t, "Volume", "storage-shared").at("name") != "e2e_shared" {
			t.Errorf("%s: %v", name, v.In)
		}
		if shown, _ := r.outputs["volumes"].Value.(map[string]any); shown["uploads"] != "tarot-test-volume-uploads" {
			t.Errorf("%s: %v", name, shown)
		}
		if want := "backend /code/data /code/data/prod.db /srv/shared /code/media"; !slices.Contains(r.engine.written, want) {
			t.Errorf("%s: %q", name, r.engine.written)
		}
	}
	dev := succeed(t, stack(t, "dev", withFolders), up).get(t, "Container", "tarot-test-backend-1")
	if !slices.ContainsFunc(dev.list("mounts"), func(m any) bool { return at(m, "type") == "bind" && at(m, "target") == "/code" }) {
		t.Errorf("%v", dev.list("mounts"))
	}
}

// A container's creation gives an empty volume to whom the image says, so the job comes before.
func TestNewVolumesAreGivenAwayBeforeAnybodyMountsThem(t *testing.T) {
	inProject(t)
	for _, name := range []string{"prod", "prod as containers", "dev"} {
		r := succeed(t, stack(t, name), up)
		first := r.engine.asked[slices.IndexFunc(r.engine.asked, func(s string) bool { return strings.HasPrefix(s, "job ") })]
		if !strings.HasPrefix(first, "job tarot-test-own-volumes ") {
			t.Errorf("%s: %q", name, r.engine.asked)
		}
		r = deploy(stack(t, name), &recorder{}, &fakeEngine{failures: map[string]error{"tarot-test-own-volumes": errors.New("it broke")}})
		for _, later := range []string{"Container tarot-test-migrate", "Container tarot-test-publish-static", "Container tarot-test-backend-1", "Service tarot-test-backend"} {
			if r.has(later) {
				t.Errorf("%s: there is %s", name, later)
			}
		}
		if r.err == nil || !strings.Contains(r.err.Error(), "it broke") {
			t.Errorf("%s: %v", name, r.err)
		}
	}
}

// What an update leaves out stays, where Pulumi would remove it.
func TestAFurtherVolumeThatIsForgottenStays(t *testing.T) {
	inProject(t)
	for retained, want := range map[bool]bool{false: true, true: false} {
		before := map[string]state.Volume{"storage-uploads": {Name: "e2e-uploads", Driver: "local", Retained: retained}, "tarot-test-backend-files-config": {Name: "x"}}
		r := deploy(stack(t, "prod"), &recorder{before: before}, &fakeEngine{})
		if r.err != nil {
			t.Fatal(r.err)
		}
		if got := r.has("Volume storage-uploads"); got != want || r.has("Volume storage-x") {
			t.Errorf("retained %v: declared %v", retained, got)
		}
		if want && (r.get(t, "Volume", "storage-uploads").at("name") != "e2e-uploads" || !slices.ContainsFunc(r.warnings.texts, func(s string) bool {
			return strings.HasPrefix(s, "volume e2e-uploads stays with the stack, although tarot:backend.volumes has no uploads")
		})) {
			t.Errorf("%q", r.warnings.texts)
		}
	}
}

func TestAStatelessApplicationHasNoVolumes(t *testing.T) {
	inProject(t)
	none := func(c *config.Config) {
		c.Volumes.Data, c.Volumes.Static, c.Volumes.Logs, c.Backend.DatabaseURL, c.Backend.Migrate = "", "", "", "", nil
	}
	for _, name := range []string{"prod", "prod as containers"} {
		r := succeed(t, stack(t, name, none), up)
		for _, x := range r.find("Volume") {
			if strings.HasPrefix(x.Name, "storage-") {
				t.Errorf("%s: there is %s", name, x.Name)
			}
		}
		if r.has("Container tarot-test-own-volumes") || len(r.engine.written) > 0 {
			t.Errorf("%s: %q", name, r.engine.written)
		}
		if env := serviceOf(t, stack(t, name, none), "backend").Environment; env["DATABASE_URL"] != "" || env["PORT"] != "8000" {
			t.Errorf("%s: %v", name, env)
		}
		if r := deployPinned(stack(t, name, none), &recorder{}, &fakeEngine{}); r.err != nil {
			t.Error(r.err)
		}
	}
}

func TestTheMendOfAFurtherVolumeIsItsOwn(t *testing.T) {
	inProject(t)
	docker := running("backend")
	docker.failures = map[string]error{"write in backend": fmt.Errorf("%w: cannot create /code/media/.write-test.7: Permission denied", engine.ErrNotWritable)}
	r := deploy(stack(t, "prod as containers", withFolders), &recorder{}, docker)
	if r.err == nil || !strings.Contains(r.err.Error(), "--volume tarot-test-volume-uploads:/code/media --entrypoint chown") || strings.Contains(r.err.Error(), "tarot_db_data") {
		t.Error(r.err)
	}
}

func TestFurtherHostsAreFound(t *testing.T) {
	inProject(t)
	hosts := func(c *config.Config) {
		c.Backend.ExtraHosts = map[string]string{"b.example": "10.0.0.8", "a.example": "10.0.0.7"}
	}
	for name, where := range map[string][]any{"prod as containers": {"hosts"}, "prod": {"taskSpec", "containerSpec", "hosts"}} {
		r := succeed(t, stack(t, name, hosts), up)
		x := map[bool]func() registration{true: func() registration { return r.get(t, "Service", "tarot-test-backend") }, false: func() registration { return r.get(t, "Container", "tarot-test-backend-1") }}[name == "prod"]()
		got := x.list(where...)
		if len(got) != 2 || at(got[0], "host") != "a.example" || at(got[0], "ip") != "10.0.0.7" || at(got[1], "host") != "b.example" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
