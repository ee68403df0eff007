package release

import (
	"strings"
	"testing"
)

func TestWhereARollbackGoes(t *testing.T) {
	all := []Release{{Name: "c", Before: "b"}, {Name: "b", Before: "a"}, {Name: "a"}}
	unfinished := []Release{{Name: "d", Before: "c", Unfinished: true}, all[0], all[1], all[2]}
	for _, test := range []struct {
		name, named string
		all         []Release
		failed      bool
		want, says  string
	}{
		{"the one before", "", all, false, "b", ""},
		{"the one that is named", "a", all, false, "a", ""},
		{"the one that is named, after a failure", "a", all, true, "a", ""},
		{"after a failure: the last that ran as wanted", "", all, true, "c", ""},
		{"users have one whose `up` failed later", "", unfinished, true, "c", ""},
		{"and nobody knows of the failure", "", unfinished, false, "c", ""},
		{"none at all", "", nil, false, "", "no release yet"},
		{"no such one", "x", all, false, "", "there is no release x; there are: c, b, a"},
		{"none before it", "", all[2:], false, "", "there is no release before a"},
		{"the one before it is too old", "", all[:1], false, "", "there is no release before c; there are: c"},
	} {
		got, err := Target(test.all, test.named, test.failed)
		if got != test.want || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
}
