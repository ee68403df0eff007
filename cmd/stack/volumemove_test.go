package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/audit"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// placing is an engine whose volumes lie somewhere.
type placing struct {
	copying
	at         map[string]string // the device of a volume; empty: the engine's own place
	containers int
}

func (p *placing) Volume(_ context.Context, name string) (engine.Volume, bool, error) {
	device, there := p.at[name]
	v := engine.Volume{Name: name, Driver: "local"}
	if device != "" {
		v.Options = map[string]string{"type": "none", "o": "bind", "device": device}
	}
	return v, there, p.failures["ask"]
}
func (p *placing) CreateVolume(ctx context.Context, name, driver string, options map[string]string) error {
	err := p.copying.CreateVolume(ctx, name, driver, options)
	if err == nil {
		p.at[name] = options["device"]
	}
	return err
}
func (p *placing) RemoveVolume(ctx context.Context, name string) error {
	err := p.copying.RemoveVolume(ctx, name)
	if err == nil {
		delete(p.at, name)
	}
	return err
}
func (p *placing) Audited(context.Context, string) ([]audit.Subject, []string, error) {
	return make([]audit.Subject, p.containers), nil, nil
}
func (p *placing) FirstThere(context.Context, []string) (string, error) { return "nginx:1", nil }

// moved runs a move.
func moved(docker mover, mount string) error {
	parts := []part.Described{{Spec: part.Spec{Volumes: []part.Volume{
		{Name: "data", Engine: "db", Data: true}, {Name: "scratch", Engine: "scratch", Copies: true}, {Name: "tools", Engine: "tools"}, {Name: "off", Engine: "off", Data: true, Unused: "it is off"},
	}}}}
	return volumeMove{"prod", "tarot-prod", config.Volumes{Driver: "local", Mount: mount}, parts}.run(context.Background(), docker, func(string, ...any) {})
}

// Wherever it is cut off, what was stored is in a volume, and the same again ends well.
func TestAMoveThatIsCutOffGoesOn(t *testing.T) {
	broke := errors.New("it broke")
	for step := range 12 {
		p := &placing{copying: copying{failures: map[string]error{}}, at: map[string]string{"db": "", "scratch": "", "tools": "", "off": ""}}
		cut := &cutting{placing: p, after: step, err: broke}
		first := moved(cut, "/srv/secure")
		whole := p.at["db"] == "" && has(p, "db") || slices.Contains(p.done, "copy db to db-moving of tarot-prod with nginx:1") && (has(p, "db-moving") || has(p, "db"))
		if !whole {
			t.Errorf("after %d steps what is stored is nowhere: %v, did %q", step, p.at, p.done)
		}
		if first != nil && !errors.Is(first, broke) {
			t.Errorf("after %d steps: %v", step, first)
		}
		if err := moved(p, "/srv/secure"); err != nil {
			t.Errorf("after %d steps, the same again: %v, did %q", step, err, p.done)
		}
		if p.at["db"] != "/srv/secure/db" || has(p, "db-moving") || has(p, "scratch") || p.at["tools"] != "" || !has(p, "off") {
			t.Errorf("after %d steps, and again: %v, did %q", step, p.at, p.done)
		}
		before := len(p.done)
		if err := moved(p, "/srv/secure"); err != nil || slices.ContainsFunc(p.done[before:], func(s string) bool { return !strings.HasPrefix(s, "remove db-moving") }) {
			t.Errorf("what is there is moved: %v, %q", err, p.done[before:])
		}
	}
}

func TestAMoveIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		mount      string
		containers int
		want       string
	}{
		"nowhere":         {"", 0, "tarot:volumes.mount is empty"},
		"something runs":  {"/srv/secure", 2, "make destroy STACK=prod"},
		"nothing mounted": {"/srv/empty", 0, "nothing is mounted at /srv/empty"},
	} {
		p := &placing{copying: copying{failures: map[string]error{}}, at: map[string]string{"db": ""}, containers: test.containers}
		if err := moved(p, test.mount); err == nil || !strings.Contains(err.Error(), test.want) || len(p.done) > 0 {
			t.Errorf("%s: %v, did %q", name, err, p.done)
		}
	}
}

func has(p *placing, volume string) bool {
	_, there := p.at[volume]
	return there
}

// cutting is cut off after so many steps.
type cutting struct {
	*placing
	after int
	err   error
}

func (c *cutting) step() error {
	if c.after--; c.after < 0 {
		return c.err
	}
	return nil
}
func (c *cutting) CreateVolume(ctx context.Context, name, driver string, options map[string]string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.placing.CreateVolume(ctx, name, driver, options)
}
func (c *cutting) RemoveVolume(ctx context.Context, name string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.placing.RemoveVolume(ctx, name)
}
func (c *cutting) CopyVolume(ctx context.Context, prefix, image, from, to string) (engine.Copied, error) {
	if err := c.step(); err != nil {
		return engine.Copied{}, err
	}
	return c.placing.CopyVolume(ctx, prefix, image, from, to)
}
func (c *cutting) MakeFolders(ctx context.Context, prefix, image, below string, names []string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.placing.MakeFolders(ctx, prefix, image, below, names)
}
