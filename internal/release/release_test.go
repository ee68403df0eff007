package release

import (
	"maps"
	"testing"
)

func TestAReleaseIsAnImageAndAConfiguration(t *testing.T) {
	configuration := map[string]string{"tarot:runtime": "swarm", "tarot:releases": `{"keep":5}`}
	first := New("app:1", configuration, "tarot")
	if len(first.Name) != 11 || first.Name[0] != 'r' || !maps.Equal(first.Configuration, map[string]string{"tarot:runtime": "swarm"}) {
		t.Errorf("%+v", first)
	}
	if len(configuration) != 2 {
		t.Error("the configuration itself was changed")
	}
	for name, test := range map[string]struct {
		image         string
		configuration map[string]string
		same          bool
	}{
		"the same":              {"app:1", map[string]string{"tarot:runtime": "swarm"}, true},
		"pinned":                {"app:1", map[string]string{"tarot:runtime": "swarm", "tarot:releases": `{"pin":"r1"}`}, true},
		"closed":                {"app:1", map[string]string{"tarot:runtime": "swarm", "tarot:maintenance": "true"}, true},
		"with rotated secrets":  {"app:1", map[string]string{"tarot:runtime": "swarm", "tarot:secretVersions": `{"adminPassword":1}`}, true},
		"another image":         {"app:2", configuration, false},
		"another configuration": {"app:1", map[string]string{"tarot:runtime": "containers"}, false},
		"one key more":          {"app:1", map[string]string{"tarot:runtime": "swarm", "tarot:x": ""}, false},
	} {
		if got := New(test.image, test.configuration, "tarot"); (got.Name == first.Name) != test.same {
			t.Errorf("%s: %s", name, got.Name)
		}
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
