package parts

import (
	"fmt"
	"slices"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

func contextWith(change func(*config.Config)) part.Context {
	cfg := config.Defaults()
	cfg.Secrets = map[string]string{"alertWebhookUrl": "https://robot.example/send"}
	change(&cfg)
	return part.Context{Config: cfg, Stack: "tarot-test", Site: part.Site{URL: "https://localhost"}, Release: part.Release{Name: "r1", Image: "app:1"}}
}

// written is a description as a text, with what pointers lead to.
func written(s part.Spec) string {
	text := ""
	for i, image := range s.Images {
		if image.Build != nil {
			text += fmt.Sprintf("%+v", *image.Build)
			s.Images[i].Build = nil
		}
	}
	return text + fmt.Sprintf("%+v", s)
}

// Whoever asks twice hears the same, and finds what it has given as it was.
func TestAPartIsAFunctionOfWhatItIsGiven(t *testing.T) {
	c := contextWith(func(c *config.Config) { c.Monitoring.Enabled = true })
	before := fmt.Sprintf("%+v", c)
	for _, p := range All {
		one, err := p.Spec(c)
		if err != nil {
			t.Fatalf("%s: %v", p.Name(), err)
		}
		other, err := p.Spec(c)
		if err != nil || written(one) != written(other) {
			t.Errorf("%s says another thing the second time: %v", p.Name(), err)
		}
	}
	if after := fmt.Sprintf("%+v", c); after != before {
		t.Errorf("what they were given is\n%s\nand was\n%s", after, before)
	}
}

// What is switched off leaves nothing but what data there may be.
func TestAPartThatIsOffIsNotThere(t *testing.T) {
	all, err := part.Collect(All, contextWith(func(c *config.Config) {
		c.Monitoring.Enabled, c.Nginx.Enabled, c.Backend.PublishPort = false, false, 8000
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if slices.Contains([]string{"backend", "static", "storage"}, d.Name) {
			continue
		}
		if len(d.Services)+len(d.Jobs)+len(d.Secrets)+len(d.Images)+len(d.Outputs)+len(d.Pages)+len(d.Routes)+len(d.Scrapes)+len(d.Alerts) > 0 || d.Follows {
			t.Errorf("%s: %+v", d.Name, d.Spec)
		}
		for _, v := range d.Volumes {
			if v.Unused == "" {
				t.Errorf("%s wants the volume %s", d.Name, v.Name)
			}
		}
	}
}
