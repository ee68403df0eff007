package drift

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"tarot-platform/internal/engine"
)

func (c *comparison) networks() {
	for _, w := range c.wanted.networks {
		c.counts["network"]++
		at := slices.IndexFunc(c.actual.Networks, func(n network.Summary) bool { return n.ID == w.id })
		if at < 0 {
			f := finding{kind: "network-removed", subject: w.Name, wanted: "it is there", found: "it is not"}
			for _, n := range c.actual.Networks {
				if n.Name == w.Name {
					f.kind, f.wanted, f.found, f.since = "network-replaced", fmt.Sprintf("the network %.12s", w.id), "another one has its name", n.Created
				}
			}
			c.add(f)
			continue
		}
		var subnets, wants []string
		for _, pool := range c.actual.Networks[at].IPAM.Config {
			subnets = append(subnets, pool.Subnet)
		}
		for _, pool := range w.IpamConfigs {
			wants = append(wants, pool.Subnet)
		}
		// None of it can be changed while it is there: this is what a wrong state would say.
		if is := c.actual.Networks[at]; is.Internal != w.Internal || is.Driver != w.Driver || len(without(wants, subnets)) > 0 {
			c.add(finding{kind: "network-replaced", subject: w.Name, wanted: fmt.Sprintf("%s, %s, internal: %t", w.Driver, strings.Join(wants, " "), w.Internal),
				found: fmt.Sprintf("%s, %s, internal: %t", is.Driver, strings.Join(subnets, " "), is.Internal), since: is.Created})
		}
	}
}

func (c *comparison) volumes() {
	for _, w := range c.wanted.volumes {
		c.counts["volume"]++
		is, there := c.actual.Volumes[w.Name]
		if !there {
			c.add(finding{kind: "volume-removed", subject: w.Name, wanted: "it is there", found: "it is not, and what was in it is gone",
				mend: fmt.Sprintf("pulumi up --refresh -s %s makes an empty one; what users had stored comes back by make restore STACK=%[1]s", c.Name)})
			continue
		}
		found := ""
		if w.Driver != "" && is.Driver != w.Driver {
			found = "one with the driver " + is.Driver
		}
		if labels := labelsOf(w.Labels); len(labels) > 0 && !maps.Equal(labels, is.Labels) { // a record: what it says is in its labels
			found = "one with other labels"
		}
		if found != "" {
			c.add(finding{kind: "volume-replaced", subject: w.Name, wanted: "the volume that the last `up` found or made", found: found, since: engineTime(is.CreatedAt),
				mend: "docker volume inspect " + w.Name + ": bring the first one back, or see to it that nobody misses what was in it, and pulumi up --refresh -s " + c.Name})
		}
	}
}

func (c *comparison) images() {
	for _, w := range c.wanted.images {
		c.counts["image"]++
		is, there := c.actual.Images[w.Name]
		switch {
		case !there:
			c.add(finding{kind: "image-removed", subject: w.Name, wanted: "it is there", found: "it is not", mend: "pulumi up -s " + c.Name})
		case w.ImageID != "" && is.ID != w.ImageID:
			c.add(finding{kind: "image-moved", subject: w.Name, wanted: "it means " + short(w.ImageID), found: "it means " + short(is.ID),
				mend: fmt.Sprintf("docker tag %s %s", w.ImageID, w.Name)})
		}
	}
}

func short(id string) string { return id[:min(len(id), len("sha256:")+12)] }

// objects are Swarm's configs and secrets. What a secret says the engine tells nobody; neither can be
// changed while it is there.
func (c *comparison) objects() {
	for _, w := range c.wanted.configs {
		c.counts["config"]++
		is, there := c.actual.Configs[w.id]
		f := finding{kind: "config-removed", subject: w.Name, wanted: "it is there", found: "it is not"}
		if there {
			data, err := base64.StdEncoding.DecodeString(w.Data)
			if err != nil || string(data) == string(is.Spec.Data) {
				continue
			}
			f.kind, f.wanted, f.found, f.since = "config-replaced", "it says what it said", "it says something else", is.UpdatedAt
		} else if slices.ContainsFunc(slices.Collect(maps.Values(c.actual.Configs)), func(o swarm.Config) bool { return o.Spec.Name == w.Name }) {
			f.kind, f.wanted, f.found = "config-replaced", "the config "+w.id, "another one has its name"
		}
		c.add(f)
	}
	for _, w := range c.wanted.secrets {
		c.counts["secret"]++
		if _, there := c.actual.Secrets[w.id]; there {
			continue
		}
		f := finding{kind: "secret-removed", subject: w.Name, wanted: "it is there", found: "it is not"}
		for _, o := range c.actual.Secrets {
			if o.Spec.Name == w.Name {
				f.kind, f.wanted, f.found, f.since = "secret-replaced", "the secret "+w.id, "another one has its name", o.CreatedAt
			}
		}
		c.add(f)
	}
}

// strangers are on the stack's networks, or have its label, and are not in its state. What a command or
// a job of the platform's runs is none, and neither is another stack on the network that both are meant to
// meet on.
func (c *comparison) strangers() {
	names := map[string]bool{} // a container in a stranger's place is told as such
	for _, w := range c.wanted.containers {
		names[w.Name] = true
	}
	own := map[string]string{}
	for _, n := range c.actual.Networks {
		if n.Labels[engine.StackLabel] == c.Prefix {
			own[n.ID] = n.Name
			if !c.wanted.known[n.ID] {
				c.add(finding{kind: "stranger-network", subject: n.Name, wanted: "no other network with the stack's label", found: "it is there, and not in the stack's state", since: n.Created, mend: "docker network rm " + n.Name})
			}
		}
	}
	for _, container := range c.actual.Containers {
		name := strings.TrimPrefix(strings.Join(container.Names[:min(1, len(container.Names))], ""), "/")
		_, task := engine.Task(container.Labels)
		if c.wanted.known[container.ID] || task || engine.Passing(container.Labels) || names[name] || container.State == "created" || container.State == "removing" {
			continue
		}
		if container.Labels[engine.StackLabel] == c.Prefix {
			c.add(finding{kind: "stranger-container", subject: name, wanted: "no other container with the stack's label", found: "it is " + string(container.State) + ", and not in the stack's state",
				mend: fmt.Sprintf("docker rm -f %s, or pulumi up -s %s, which removes it", name, c.Name)})
			continue
		}
		if container.NetworkSettings == nil {
			continue
		}
		for on, n := range container.NetworkSettings.Networks {
			if n == nil || own[n.NetworkID] == "" || (engine.Guest{Network: on, Stack: container.Labels[engine.StackLabel]}).Expected(c.Prefix) {
				continue
			}
			c.add(finding{kind: "stranger-container", subject: name, wanted: "nothing else on the network " + on, found: "it is " + string(container.State) + " on it, of the image " + container.Image,
				mend: fmt.Sprintf("docker network disconnect --force %s %s; what is to stay goes into tarot:services (docs/services.md)", on, name)})
		}
	}
	for _, s := range c.actual.Services {
		if c.wanted.known[s.ID] || engine.Passing(s.Spec.Labels) || slices.ContainsFunc(c.wanted.services, func(w serviceWanted) bool { return w.Name == s.Spec.Name }) {
			continue
		}
		f := finding{kind: "stranger-service", subject: s.Spec.Name, since: s.CreatedAt, mend: "docker service rm " + s.Spec.Name + "; what is to stay goes into tarot:services (docs/services.md)"}
		if s.Spec.Labels[engine.StackLabel] == c.Prefix {
			f.wanted, f.found = "no other service with the stack's label", "it is there, and not in the stack's state"
			c.add(f)
			continue
		}
		for _, n := range s.Spec.TaskTemplate.Networks {
			name := own[n.Target]
			if name == "" || (engine.Guest{Network: name, Stack: s.Spec.Labels[engine.StackLabel]}).Expected(c.Prefix) {
				continue
			}
			f.wanted, f.found = "nothing else on the network "+name, "it is on it"
			c.add(f)
		}
	}
}
