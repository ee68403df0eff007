package release

import (
	"maps"
	"reflect"
	"slices"
	"testing"
)

func TestAReleaseIsAnImageAndWhatShapesIt(t *testing.T) {
	configuration := map[string]string{"tarot:backend": `{"replicas":2}`, "tarot:runtime": "swarm", "tarot:nginx": "{}", "tarot:releases": `{"keep":5}`}
	first := New("app:1", nil, configuration, []string{"B", "A"}, "tarot")
	if len(first.Name) != 11 || first.Name[0] != 'r' || !maps.Equal(first.Configuration, map[string]string{"tarot:backend": `{"replicas":2}`}) {
		t.Errorf("%+v", first)
	}
	if !first.Complete || !slices.Equal(first.Secrets, []string{"A", "B"}) {
		t.Errorf("%+v", first)
	}
	if len(configuration) != 4 {
		t.Error("the configuration itself was changed")
	}
	with := func(key, value string) map[string]string {
		other := maps.Clone(configuration)
		other["tarot:"+key] = value
		return other
	}
	for name, test := range map[string]struct {
		image         string
		images        map[string]string
		configuration map[string]string
		secrets       []string
		same          bool
	}{
		"the same":                {"app:1", nil, configuration, []string{"A", "B"}, true},
		"pinned":                  {"app:1", nil, with("releases", `{"pin":"r1"}`), []string{"A", "B"}, true},
		"closed":                  {"app:1", nil, with("maintenance", "true"), []string{"A", "B"}, true},
		"with rotated secrets":    {"app:1", nil, with("secretVersions", `{"adminPassword":1}`), []string{"A", "B"}, true},
		"behind another nginx":    {"app:1", nil, with("nginx", `{"maxBody":"1m"}`), []string{"A", "B"}, true},
		"in the other runtime":    {"app:1", nil, with("runtime", "containers"), []string{"A", "B"}, true},
		"another image":           {"app:2", nil, configuration, []string{"A", "B"}, false},
		"another configuration":   {"app:1", nil, with("backend", `{"replicas":3}`), []string{"A", "B"}, false},
		"built in another way":    {"app:1", nil, with("build", `{}`), []string{"A", "B"}, false},
		"with other exceptions":   {"app:1", nil, with("build", `{"scan":{"failOn":"off"}}`), []string{"A", "B"}, true},
		"with one more secret":    {"app:1", nil, configuration, []string{"A", "B", "C"}, false},
		"with one secret less":    {"app:1", nil, configuration, []string{"A"}, false},
		"with no services":        {"app:1", nil, with("services", "{}"), []string{"A", "B"}, true},
		"with a service":          {"app:1", nil, with("services", `{"a":{}}`), []string{"A", "B"}, false},
		"with a service's image":  {"app:1", map[string]string{"a": "x:1"}, configuration, []string{"A", "B"}, false},
		"without a secret at all": {"app:1", nil, configuration, nil, false},
	} {
		if got := New(test.image, test.images, test.configuration, test.secrets, "tarot"); (got.Name == first.Name) != test.same {
			t.Errorf("%s: %s", name, got.Name)
		}
	}
}

func TestAllImagesAreNamedOnce(t *testing.T) {
	r := Release{Image: "app:1", Images: map[string]string{"b": "x:1", "a": "y:1", "c": "x:1", "d": "app:1"}}
	if got := r.AllImages(); !slices.Equal(got, []string{"app:1", "y:1", "x:1"}) {
		t.Errorf("%v", got)
	}
}

func TestNames(t *testing.T) {
	if got := Names(nil); got != "(there is none)" {
		t.Error(got)
	}
	if got := Names([]Release{{Name: "r1"}, {Name: "r2"}}); got != "r1, r2" {
		t.Error(got)
	}
}

func TestWhatIsKnownOfVulnerabilitiesIsNoPartOfARelease(t *testing.T) {
	built := func(build string) Release {
		return New("app:1", nil, map[string]string{"tarot:build": build}, nil, "tarot")
	}
	plain := built(`{"args":{"A":"1"},"platform":""}`)
	if scanned := built(`{"args":{"A":"1"},"platform":"","scan":{"failOn":"high"}}`); !reflect.DeepEqual(scanned, plain) {
		t.Errorf("%+v, want %+v", scanned, plain)
	}
	for _, test := range []struct{ recorded, now, want string }{
		{`{"args":{}}`, `{"scan":{"failOn":"off"},"platform":"x/y"}`, `{"args":{},"scan":{"failOn":"off"}}`},
		{`{"args":{}}`, `{}`, `{"args":{}}`},
		{"", `{"scan":{}}`, `{"scan":{}}`},
		{"", `{"args":{}}`, ""},
		{`{"args":{}}`, "", `{"args":{}}`},
	} {
		if got := WithTodays(test.recorded, test.now); got != test.want {
			t.Errorf("%s of today's %s: %s, want %s", test.recorded, test.now, got, test.want)
		}
	}
}
