package state

import (
	"maps"
	"testing"
)

func TestIDs(t *testing.T) {
	all, err := ids([]byte(`{"version": 3, "deployment": {"resources": [{"urn": "a", "type": "pulumi:pulumi:Stack"}, {"urn": "b", "id": "one"}, {"urn": "b", "id": "two", "delete": true}]}}`))
	if err != nil || !all["one"] || !all["two"] || all["three"] {
		t.Errorf("%v, %v", all, err)
	}
	for _, wrong := range []string{`{}`, `{"deployment": {}}`, `oops`, ``} {
		if all, err := ids([]byte(wrong)); err == nil {
			t.Errorf("%q: %v: all would be taken for orphans", wrong, all)
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

func TestVolumes(t *testing.T) {
	got, err := volumes([]byte(`{"version": 3, "deployment": {"resources": [
		{"urn": "urn:pulumi:dev::tarot::pulumi:pulumi:Stack::tarot-dev", "type": "pulumi:pulumi:Stack"},
		{"urn": "urn:pulumi:dev::tarot::a$docker:index/network:Network::n", "type": "docker:index/network:Network", "outputs": {"name": {"4dabf18193072939515e22adb298388d": "1b4"}}},
		{"urn": "urn:pulumi:dev::tarot::a$docker:index/volume:Volume::storage-data", "type": "docker:index/volume:Volume", "retainOnDelete": true, "outputs": {"name": "data", "driver": "local"}},
		{"urn": "urn:pulumi:dev::tarot::a$docker:index/volume:Volume::storage-static", "type": "docker:index/volume:Volume", "outputs": {"name": "files", "driver": "local"}},
		{"urn": "urn:pulumi:dev::tarot::a$docker:index/volume:Volume::storage-static", "type": "docker:index/volume:Volume", "delete": true, "retainOnDelete": true, "outputs": {"name": "earlier", "driver": "local"}}
	]}}`))
	want := map[string]Volume{"storage-data": {"data", "local", true}, "storage-static": {"files", "local", false}}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, empty := range []string{`{}`, `{"version": 3, "deployment": {"manifest": {}}}`} { // before the first update
		if got, err := volumes([]byte(empty)); err != nil || len(got) > 0 {
			t.Errorf("%s: %v, %v", empty, got, err)
		}
	}
	for _, wrong := range []string{`oops`, ``, `{"deployment": {"resources": [{"type": "docker:index/volume:Volume", "outputs": {"name": {"secret": "x"}}}]}}`} {
		if got, err := volumes([]byte(wrong)); err == nil {
			t.Errorf("%q: %v: an update would remove what it does not know", wrong, got)
		}
	}
}
