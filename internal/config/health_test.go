package config

import "testing"

func TestAReleaseIsAskedByThePathThatIsKnown(t *testing.T) {
	for _, test := range []struct{ inside, outside, want string }{{"", "", "/health"}, {"/healthz/", "", "/healthz/"}, {"/", "/ready", "/ready"}} {
		b := Backend{Health: Health{Path: test.inside}, Paths: Paths{Health: test.outside}}
		if got := b.HealthPath(); got != test.want {
			t.Errorf("%q, %q: %s, want %s", test.inside, test.outside, got, test.want)
		}
	}
}
