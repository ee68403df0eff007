package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
)

// copying is an engine with volumes, that notes what it is asked to do.
type copying struct {
	there    []string
	writers  map[string][]engine.Writer
	failures map[string]error
	stubborn bool // what is stopped goes on
	done     []string
}

func (c *copying) do(what string) error {
	c.done = append(c.done, what)
	word, _, _ := strings.Cut(what, " ")
	return c.failures[word]
}

func (c *copying) Volume(_ context.Context, name string) (engine.Volume, bool, error) {
	return engine.Volume{Name: name}, slices.Contains(c.there, name), c.failures["ask"]
}
func (c *copying) CreateVolume(_ context.Context, name, driver string, options map[string]string) error {
	if device := options["device"]; device != "" {
		driver += " in " + device
	}
	return c.do("create " + name + " by " + driver)
}
func (c *copying) LookAt(_ context.Context, _, _, folder string) (engine.Mount, error) {
	return engine.Mount{There: true, Mounted: folder != "/srv/empty"}, c.failures["look"]
}
func (c *copying) MakeFolders(_ context.Context, _, _, below string, names []string) error {
	return c.do(fmt.Sprintf("folders %v below %s", names, below))
}
func (c *copying) EmptyFolder(_ context.Context, _, _, below, name string) error {
	return c.do("empty " + below + "/" + name)
}
func (c *copying) RemoveVolume(_ context.Context, name string) error { return c.do("remove " + name) }
func (c *copying) CopyVolume(_ context.Context, prefix, image, from, to string) (engine.Copied, error) {
	return engine.Copied{Files: 3, Bytes: 2e6}, c.do(fmt.Sprintf("copy %s to %s of %s with %s", from, to, prefix, image))
}
func (c *copying) Writers(_ context.Context, volume string) ([]engine.Writer, error) {
	return c.writers[volume], c.failures["writers"]
}
func (c *copying) Halt(_ context.Context, all []engine.Writer) error {
	if !c.stubborn {
		c.writers["old"] = nil
	}
	return c.do("halt " + named(all))
}
func (c *copying) Resume(ctx context.Context, all []engine.Writer) error {
	return errors.Join(ctx.Err(), c.do("resume "+named(all)))
}
func (c *copying) Releases(context.Context, string) ([]release.Release, error) {
	return []release.Release{{Image: "gone:1"}, {Image: "tarot-backend:1"}}, nil
}
func (c *copying) HasImage(_ context.Context, reference string) (bool, error) {
	return reference == "tarot-backend:1", c.failures["images"]
}

func TestNothingWritesToAVolumeThatIsCopied(t *testing.T) {
	replica, worker := engine.Writer{Name: "backend-1", ID: "b", Stack: "tarot-prod"}, engine.Writer{Name: "worker", Replicas: 2, Stack: "tarot-prod"}
	const copied = "copy old to new of tarot-prod with tarot-backend:1"
	failed := errors.New("it broke")
	for _, test := range []struct {
		name   string
		change func(*copying)
		done   []string
		want   string
	}{
		{"as it should be", func(*copying) {}, []string{"create new by local", "halt backend-1, worker", copied}, ""},
		{"a volume that is there", func(c *copying) { c.there = append(c.there, "new") }, []string{"halt backend-1, worker", copied}, ""},
		{"nobody writes", func(c *copying) { c.writers["old"] = nil }, []string{"create new by local", copied}, ""},
		{"it breaks", func(c *copying) { c.failures["copy"] = failed }, []string{"create new by local", "halt backend-1, worker", copied, "remove new", "resume backend-1, worker"}, "it broke"},
		{"it breaks, into a volume that was there", func(c *copying) { c.failures["copy"] = failed; c.there = append(c.there, "new") },
			[]string{"halt backend-1, worker", copied, "resume backend-1, worker"}, "it broke"},
		{"one does not stop", func(c *copying) { c.failures["halt"] = failed }, []string{"create new by local", "halt backend-1, worker", "remove new", "resume backend-1, worker"}, "it broke"},
		{"one goes on", func(c *copying) { c.stubborn = true }, []string{"create new by local", "halt backend-1, worker", "remove new", "resume backend-1, worker"}, "backend-1, worker writes to the volume old all the same"},
		{"somebody else's", func(c *copying) { c.writers["old"] = append(c.writers["old"], engine.Writer{Name: "shell"}) }, nil, "shell writes to the volume old, and is not of this stack"},
		{"another stack's", func(c *copying) {
			c.writers["old"] = append(c.writers["old"], engine.Writer{Name: "x", Stack: "tarot-dev"})
		}, nil, "x writes to the volume old, and is not of this stack"},
		{"a migration", func(c *copying) {
			c.writers["old"] = append(c.writers["old"], engine.Writer{Name: "migrate", Stack: "tarot-prod", Job: true})
		}, nil, "migrate is at work on the volume old: wait for its end"},
		{"there is none", func(c *copying) { c.there = nil }, nil, `FROM is "old", and the engine has no such volume`},
		{"one that is used", func(c *copying) {
			c.there, c.writers["new"] = append(c.there, "new"), []engine.Writer{worker}
		}, nil, `TO is "new", which worker writes to`},
		{"no image", func(c *copying) { c.failures["images"] = failed }, nil, "it broke"},
		{"no answer", func(c *copying) { c.failures["ask"] = failed }, nil, "it broke"},
		{"no answer of who writes", func(c *copying) { c.failures["writers"] = failed }, nil, "it broke"},
	} {
		t.Run(test.name, func(t *testing.T) {
			docker := &copying{there: []string{"old"}, writers: map[string][]engine.Writer{"old": {replica, worker}}, failures: map[string]error{}}
			test.change(docker)
			err := volumeCopy{"prod", "tarot-prod", "old", "new", config.Volumes{Driver: "local"}}.run(t.Context(), docker, func(string, ...any) {})
			if !slices.Equal(docker.done, test.done) || (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s\ndid %q, want %q", err, test.want, docker.done, test.done)
			}
		})
	}
	if err := (volumeCopy{"prod", "tarot-prod", "old", "old", config.Volumes{Driver: "local"}}).run(t.Context(), &copying{}, nil); err == nil {
		t.Error("a volume is copied to itself")
	}
}

// On an encrypted mount, a copy begins in a folder of it, and leaves it empty where it fails.
func TestACopyLiesWhereVolumesAreMeantTo(t *testing.T) {
	wants := config.Volumes{Driver: "local", Mount: "/srv/secure"}
	docker := &copying{there: []string{"old"}, writers: map[string][]engine.Writer{}, failures: map[string]error{"copy": errors.New("it broke")}}
	err := volumeCopy{"prod", "tarot-prod", "old", "new", wants}.run(t.Context(), docker, func(string, ...any) {})
	want := []string{"folders [new] below /srv/secure", "create new by local in /srv/secure/new", "copy old to new of tarot-prod with tarot-backend:1", "remove new", "empty /srv/secure/new", "resume "}
	if err == nil || !slices.Equal(docker.done, want) {
		t.Errorf("%v\n%q, want %q", err, docker.done, want)
	}
	docker, wants.Mount = &copying{there: []string{"old"}, failures: map[string]error{}}, "/srv/empty"
	err = volumeCopy{"prod", "tarot-prod", "old", "new", wants}.run(t.Context(), docker, func(string, ...any) {})
	if err == nil || !strings.Contains(err.Error(), "nothing is mounted at /srv/empty") || len(docker.done) > 0 {
		t.Errorf("%v, did %q", err, docker.done)
	}
}

// Whoever interrupts it has the application back.
func TestAnInterruptedCopyStartsWhatItStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	docker := &copying{there: []string{"old"}, writers: map[string][]engine.Writer{"old": {{Name: "b", ID: "b", Stack: "tarot-prod"}}}, failures: map[string]error{"copy": context.Canceled}}
	cancel()
	err := volumeCopy{"prod", "tarot-prod", "old", "new", config.Volumes{Driver: "local"}}.run(ctx, docker, func(string, ...any) {})
	if !errors.Is(err, context.Canceled) || docker.done[len(docker.done)-1] != "resume b" || strings.Contains(err.Error(), "\ncontext canceled") {
		t.Errorf("%q, %v", docker.done, err)
	}
}

// replicating is a replicator that says one state after the other, and the last one again and again.
type replicating struct {
	states []string
	asked  []string
}

func (r *replicating) Exec(_ context.Context, _, _ string, command ...string) (string, error) {
	r.asked = append(r.asked, command[1])
	if command[1] == "adopt" {
		return "", nil
	}
	state := r.states[0]
	if len(r.states) > 1 {
		r.states = r.states[1:]
	}
	if state == "" {
		return "", errors.New("no guard answers here")
	}
	return fmt.Sprintf(`{"state":%q,"why":"so"}`, state), nil
}

func TestACopyBeginsAHistoryOfItsOwn(t *testing.T) {
	adoptTime = 200 * time.Millisecond
	for name, c := range map[string]struct {
		states, asked []string
		want          string
	}{
		"the target has the one of FROM":  {[]string{"", results.Waiting, results.Foreign}, []string{"status", "status", "status", "adopt"}, ""},
		"FROM is gone on with":            {[]string{results.Waiting, results.Replicating}, []string{"status", "status"}, ""},
		"no database is in it":            {[]string{results.NoDatabase}, []string{"status"}, ""},
		"another one replicates it":       {[]string{results.Locked}, nil, "make backup-adopt"},
		"the replicator does not come up": {[]string{""}, nil, "no guard answers here"},
	} {
		docker := &replicating{states: c.states}
		err := adoptCopy(t.Context(), docker, "tarot-prod", func(string, ...any) {})
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) || c.asked != nil && !slices.Equal(docker.asked, c.asked) {
			t.Errorf("%s: %v, asked %q", name, err, docker.asked)
		}
	}
}
