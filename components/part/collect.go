package part

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"tarot-platform/internal/config"
)

// Described is a part with its description.
type Described struct {
	Name string
	Spec
}

// before are the parts that come before this one.
func (d Described) before() []string {
	if d.With == "" {
		return d.Needs
	}
	return append(slices.Clone(d.Needs), d.With)
}

// Collect asks all parts for their descriptions, checks these as a whole, and puts them in
// the order in which they run: each after those that it needs.
func Collect(parts []Part, c Context) ([]Described, error) {
	offers, err := describe(parts, c)
	if err != nil {
		return nil, err
	}
	c.Offered.Dashboards = map[string]string{}
	for _, d := range offers {
		c.Offered.Pages = append(c.Offered.Pages, d.Pages...)
		c.Offered.Routes = append(c.Offered.Routes, d.Routes...)
		if len(d.Routes) > 0 {
			c.Offered.Routed = append(c.Offered.Routed, d.Name)
		}
		c.Offered.Scrapes = append(c.Offered.Scrapes, d.Scrapes...)
		c.Offered.Alerts = append(c.Offered.Alerts, d.Alerts...)
		maps.Copy(c.Offered.Dashboards, d.Dashboards)
		for _, v := range d.Volumes {
			if v.Backup && v.Unused == "" {
				c.Offered.Volumes = append(c.Offered.Volumes, v)
			}
		}
		if len(d.Application) == 0 {
			continue
		}
		c.Offered.Application = append(c.Offered.Application, d.Application...)
		c.Offered.Before = append(c.Offered.Before, d.Name)
		for _, j := range d.Jobs {
			if j.When == Before {
				c.Offered.Jobs = append(c.Offered.Jobs, j.Name)
			}
		}
	}
	all, err := describe(parts, c)
	if err != nil {
		return nil, err
	}
	if err := check(all); err != nil {
		return nil, err
	}
	return order(all)
}

func describe(parts []Part, c Context) ([]Described, error) {
	all := make([]Described, len(parts))
	for i, p := range parts {
		spec, err := p.Spec(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name(), err)
		}
		all[i] = Described{p.Name(), spec}
	}
	return all, nil
}

// checker collects what is wrong.
type checker struct {
	faults []error
	seen   map[string]string // who has a name
}

// once refuses what two have.
func (c *checker) once(owner, kind, name string) {
	key := kind + " " + name
	if other, taken := c.seen[key]; taken {
		c.faults = append(c.faults, fmt.Errorf("%s: the %s is %s's already", owner, key, other))
	}
	c.seen[key] = owner
}

// exists refuses a word for what nobody declares.
func (c *checker) exists(owner, kind, name string) {
	if _, there := c.seen[kind+" "+name]; !there {
		c.faults = append(c.faults, fmt.Errorf("%s: nobody has the %s %s", owner, kind, name))
	}
}

// check finds what is wrong with all descriptions together. Names are mistakes in parts;
// ports are the user's choice.
func check(all []Described) error {
	c := &checker{seen: map[string]string{}}
	for _, network := range []string{Inner, Edge, Watch, Sites} {
		c.once("the platform", "network", network)
	}
	for _, d := range all {
		c.once("the platform", "part", d.Name)
		c.declared(d)
	}
	for _, d := range all {
		for _, name := range d.before() {
			c.exists(d.Name, "part", name)
		}
		for _, s := range d.Services {
			c.references(s)
		}
		for _, r := range d.Routes {
			c.exists("route "+r.Name, "workload", r.Service)
		}
		for _, j := range d.Jobs {
			c.references(j.Service)
			for _, name := range j.Again {
				c.exists(j.Name, "workload", name)
			}
		}
		for name, o := range d.Outputs {
			if o.Secret != "" {
				c.exists("the output "+name, "secret", o.Secret)
			}
		}
	}
	c.ports(all)
	return errors.Join(c.faults...)
}

func (c *checker) declared(d Described) {
	for _, s := range d.Services {
		c.once(d.Name, "workload", s.Name)
	}
	for _, j := range d.Jobs {
		c.once(d.Name, "workload", j.Name)
		c.once(d.Name, "job", j.Name)
	}
	for _, v := range d.Volumes {
		c.once(d.Name, "volume", v.Name)
		if v.Engine != "" {
			c.once(d.Name, "volume's name", v.Engine)
		}
	}
	for _, s := range d.Secrets {
		c.once(d.Name, "secret", s.Name)
	}
	for _, i := range d.Images {
		c.once(d.Name, "image", i.Name)
	}
	for name := range d.Outputs {
		c.once(d.Name, "output", name)
	}
}

func (c *checker) references(s Service) {
	c.exists(s.Name, "image", s.Image)
	for _, n := range s.Networks {
		c.exists(s.Name, "network", n)
	}
	for _, secret := range s.Secrets {
		c.exists(s.Name, "secret", secret.Secret)
	}
	for _, m := range s.Mounts {
		if m.Kind == "volume" {
			c.exists(s.Name, "volume", m.Source)
		}
	}
	for _, job := range s.After {
		c.exists(s.Name, "job", job)
	}
}

// ports finds two owners of one port.
func (c *checker) ports(all []Described) {
	taken := map[int]string{}
	for _, d := range all {
		for _, s := range d.Services {
			for _, p := range s.Ports {
				if other, twice := taken[p.Host]; twice {
					c.faults = append(c.faults, config.Fault{Namespace: config.Namespace, Key: p.Key, Value: fmt.Sprintf("%q", fmt.Sprint(p.Host)), Allowed: "another port than " + other + "'s"})
				}
				taken[p.Host] = p.Key
			}
		}
	}
}

// order puts each part after those that it needs, and otherwise leaves them as they are.
func order(all []Described) ([]Described, error) {
	var sorted []Described
	done := map[string]bool{}
	for len(sorted) < len(all) {
		next := slices.IndexFunc(all, func(d Described) bool {
			return !done[d.Name] && !slices.ContainsFunc(d.before(), func(name string) bool { return !done[name] })
		})
		if next < 0 {
			var names []string
			for _, d := range all {
				if !done[d.Name] {
					names = append(names, d.Name)
				}
			}
			return nil, fmt.Errorf("parts need each other: %v", names)
		}
		done[all[next].Name] = true
		sorted = append(sorted, all[next])
	}
	return sorted, nil
}
