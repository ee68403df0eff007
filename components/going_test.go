package components

import (
	"slices"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// What Pulumi is about to take away has ended before: the provider gives up on what takes its time.
func TestSwarmServicesThatGoHaveEndedBefore(t *testing.T) {
	inProject(t)
	before := []string{"backend", "backend-candidate", "nginx", "worker"}
	for name, test := range map[string]struct {
		change func(*config.Config)
		moved  func(*engine.Network)
		want   []string
	}{
		"a service is left out":     {func(*config.Config) {}, func(*engine.Network) {}, []string{"worker"}},
		"another subnet":            {func(*config.Config) {}, func(n *engine.Network) { n.Subnet = "10.1.0.0/24" }, append(slices.Clone(before), "worker")},
		"no way out any more":       {func(*config.Config) {}, func(n *engine.Network) { n.Internal = !n.Internal }, append(slices.Clone(before), "worker")},
		"another runtime":           {func(c *config.Config) { c.Runtime = "containers" }, func(*engine.Network) {}, before},
		"the same, written another": {func(*config.Config) {}, func(n *engine.Network) { n.Subnet = "10.213.1.7/24" }, []string{"worker"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := stack(t, "prod", func(c *config.Config) { c.Runtime, c.Monitoring.Enabled = "swarm", false }, test.change)
			inner := engine.Network{Subnet: cfg.Networks.BackendSubnet, Internal: cfg.Networks.Isolated, Driver: "overlay"}
			test.moved(&inner)
			docker := &fakeEngine{swarm: before, networks: map[string]engine.Network{"tarot-test-backend": inner}}
			r := deploy(cfg, &recorder{}, docker)
			if r.err != nil {
				t.Fatal(r.err)
			}
			if !slices.Equal(docker.ended, test.want) {
				t.Errorf("ended %v, not %v", docker.ended, test.want)
			}
		})
	}
}
