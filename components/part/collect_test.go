package part

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/workload"
)

// described is a part that always says the same, but for what it makes of the others' offers.
type described struct {
	name string
	spec Spec
	uses func(Offered, *Spec)
}

func (d described) Name() string { return d.name }

func (d described) Spec(c Context) (Spec, error) {
	spec := d.spec
	if d.uses != nil {
		d.uses(c.Offered, &spec)
	}
	return spec, nil
}

func service(name string) Service { return Service{Program: workload.Program{Name: name}, Image: name} }

func named(name string, change func(*Spec)) Part {
	s := Spec{Services: []Service{service(name)}, Images: []Image{{Name: name}}}
	change(&s)
	return described{name: name, spec: s}
}

func TestWhatIsWrongWithAllPartsTogetherIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"nothing":               {func(*Spec) {}, ""},
		"an image of another's": {func(s *Spec) { s.Services[0].Image = "a" }, ""},
		"one name twice":        {func(s *Spec) { s.Services[0].Name = "a" }, "b: the workload a is a's already"},
		"a job's name":          {func(s *Spec) { s.Jobs = []Job{{Service: service("b")}} }, "b: the workload b is b's already"},
		"a volume twice":        {func(s *Spec) { s.Volumes = []Volume{{Name: "x", Engine: "v"}, {Name: "y", Engine: "v"}} }, "b: the volume's name v is b's already"},
		"no image":              {func(s *Spec) { s.Images = nil }, "b: nobody has the image b"},
		"no network":            {func(s *Spec) { s.Services[0].Networks = []string{"moon"} }, "b: nobody has the network moon"},
		"no secret":             {func(s *Spec) { s.Services[0].Secrets = []SecretFile{{Secret: "x"}} }, "b: nobody has the secret x"},
		"no volume":             {func(s *Spec) { s.Services[0].Mounts = []Mount{{Kind: workload.Volume, Source: "x"}} }, "b: nobody has the volume x"},
		"a folder":              {func(s *Spec) { s.Services[0].Mounts = []Mount{{Kind: workload.Bind, Source: "/x"}} }, ""},
		"no job":                {func(s *Spec) { s.Services[0].After = []string{"x"} }, "b: nobody has the job x"},
		"again with nothing": {func(s *Spec) {
			s.Jobs = []Job{{Service: service("j"), Again: []string{"x"}}}
			s.Jobs[0].Image = "b"
		}, "j: nobody has the workload x"},
		"a route to nobody":    {func(s *Spec) { s.Routes = []Route{{Name: "r", Service: "x"}} }, "route r: nobody has the workload x"},
		"no part":              {func(s *Spec) { s.Needs = []string{"x"} }, "b: nobody has the part x"},
		"with nobody":          {func(s *Spec) { s.With = "x" }, "b: nobody has the part x"},
		"with who needs it":    {func(s *Spec) { s.With = "c" }, "parts need each other: [b c]"},
		"an output of nothing": {func(s *Spec) { s.Outputs = map[string]Output{"o": {Secret: "x"}} }, "the output o: nobody has the secret x"},
		"each needs the other": {func(s *Spec) { s.Needs = []string{"c"} }, "parts need each other: [b c]"},
		"two owners of a port": {func(s *Spec) {
			s.Services[0].Ports = []workload.Port{{Host: 80, Key: "one"}, {Host: 80, Key: "other"}}
		}, `tarot:other: "80" is not allowed; allowed: another port than one's`},
	} {
		t.Run(name, func(t *testing.T) {
			all := []Part{named("a", func(*Spec) {}), named("b", test.change), named("c", func(s *Spec) { s.Needs = []string{"b"} })}
			_, err := Collect(all, Context{})
			if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestPartsComeAfterThoseThatTheyNeed(t *testing.T) {
	all := []Part{
		named("a", func(s *Spec) { s.Needs = []string{"c", "b"} }), named("b", func(*Spec) {}), named("c", func(s *Spec) { s.Needs = []string{"d"} }), named("d", func(*Spec) {}),
	}
	sorted, err := Collect(all, Context{})
	var names []string
	for _, d := range sorted {
		names = append(names, d.Name)
	}
	if err != nil || !slices.Equal(names, []string{"b", "d", "c", "a"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// Whoever is asked sees what all others offer, wherever they are in the list.
func TestPartsSeeWhatAllOthersOffer(t *testing.T) {
	var seen Offered
	user := named("user", func(*Spec) {}).(described)
	user.uses = func(o Offered, s *Spec) { seen, s.Needs = o, o.Before }
	offering := named("offering", func(s *Spec) {
		s.Application = []Variable{{Name: "CACHE_URL", Value: "x"}}
		s.Jobs = []Job{{Service: Service{Program: workload.Program{Name: "fill"}, Image: "user"}}, {Service: Service{Program: workload.Program{Name: "later"}, Image: "user"}, When: Follows}}
		s.Volumes = []Volume{{Name: "kept", Backup: true}, {Name: "logs"}, {Name: "left", Backup: true, Unused: "nobody wants it"}}
		s.Pages, s.Routes, s.Scrapes = []Page{{Path: "/x"}}, []Route{{Service: "user"}}, []prometheus.Job{{Name: "offering"}}
	})
	sorted, err := Collect([]Part{user, offering}, Context{})
	if err != nil || sorted[0].Name != "offering" {
		t.Fatalf("%v, %v", sorted, err)
	}
	if len(seen.Pages) != 1 || len(seen.Routes) != 1 || strings.Join(seen.Routed, " ") != "offering" || len(seen.Scrapes) != 1 || seen.Application[0].Name != "CACHE_URL" || strings.Join(seen.Jobs, " ") != "fill" || strings.Join(seen.Before, " ") != "offering" ||
		len(seen.Volumes) != 1 || seen.Volumes[0].Name != "kept" {
		t.Errorf("%+v", seen)
	}
}
