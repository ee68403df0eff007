package runtime

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestFate(t *testing.T) {
	for _, c := range []struct {
		name    string
		planned planned
		running int
		want    string
	}{
		{"a service made anew", planned{wanted: 2, made: 1, before: -1, rolling: true, service: true}, 2, "restarts, stopped first"},
		{"first", planned{wanted: 2, made: 2, before: -1, rolling: true}, 0, "starts"},
		{"unchanged", planned{wanted: 2, before: -1, rolling: true}, 2, "is not restarted"},
		{"changed containers", planned{wanted: 2, made: 2, before: -1, rolling: true}, 2, "restarts, new ones first"},
		{"changed and more", planned{wanted: 3, made: 3, before: -1, rolling: true}, 2, "restarts, new ones first; 2 replicas become 3"},
		{"changed and fewer", planned{wanted: 1, made: 1, before: -1, rolling: true}, 2, "restarts, new ones first; 2 replicas become 1"},
		{"the rest of a failed one", planned{wanted: 2, made: 1, before: -1, rolling: true}, 3, "restarts, new ones first; 3 replicas become 2"},
		{"more containers", planned{wanted: 3, made: 1, before: -1, rolling: true}, 2, "is not restarted; 2 replicas become 3"},
		{"fewer containers", planned{wanted: 1, before: -1, rolling: true}, 2, "is not restarted; 2 replicas become 1"},
		{"changed service", planned{wanted: 2, replaced: true, before: 2, rolling: true}, 2, "restarts, new ones first"},
		{"scaled service, one task down", planned{wanted: 3, before: 2, rolling: true}, 1, "is not restarted; 2 replicas become 3"},
		{"ports have one owner", planned{wanted: 1, made: 1, before: -1}, 1, "restarts, stopped first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.planned.fate(c.running, false); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			// Whatever is made anew on a network that is made anew had to leave it.
			want := c.want
			if strings.HasPrefix(want, "restarts") && c.planned.made > 0 {
				want = "restarts, stopped first"
			}
			if got := c.planned.fate(c.running, true); got != want {
				t.Errorf("on a network that moves: %q, want %q", got, want)
			}
		})
	}
}

func TestReplicasOfAService(t *testing.T) {
	of := func(mode map[string]any) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{"mode": mode})
	}
	if n, ok := replicasOf(of(map[string]any{"replicated": map[string]any{"replicas": 3}})); n != 3 || !ok {
		t.Errorf("%d %v", n, ok)
	}
	for _, none := range []resource.PropertyMap{{}, of(map[string]any{"global": true})} {
		if n, ok := replicasOf(none); ok {
			t.Errorf("%v has %d", none, n)
		}
	}
}
