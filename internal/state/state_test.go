package state

import "testing"

func TestIDs(t *testing.T) {
	all, err := ids([]byte(`{"version": 3, "deployment": {"resources": [{"urn": "a", "type": "pulumi:pulumi:Stack"}, {"urn": "b", "id": "one"}, {"urn": "b", "id": "two", "delete": true}]}}`))
	if err != nil || !all["one"] || !all["two"] || all["three"] {
		t.Errorf("%v, %v", all, err)
	}
	for _, wrong := range []string{`{}`, `{"deployment": {}}`, `oops`, ``} {
		if all, err := ids([]byte(wrong)); err == nil {
			t.Errorf("%q: %v: all would be taken for strays", wrong, all)
		}
	}
}

func TestName(t *testing.T) {
	for organization, want := range map[string]string{"": "prod", "organization": "prod", "acme": "acme/tarot/prod"} {
		if got := Name(organization, "tarot", "prod"); got != want {
			t.Errorf("%s: %s, want %s", organization, got, want)
		}
	}
}
