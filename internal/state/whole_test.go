package state

import (
	"reflect"
	"strings"
	"testing"
)

func TestTheStateIsReadWithoutItsSecrets(t *testing.T) {
	w, err := whole([]byte(`{"deployment": {"resources": [
		{"urn": "urn:pulumi:prod::tarot::pulumi:pulumi:Stack::tarot-prod", "type": "pulumi:pulumi:Stack", "outputs": {"url": "https://x", "adminPassword": {"ciphertext": "v1:x"}}},
		{"urn": "u::docker:index/container:Container::tarot-prod-backend-1", "type": "docker:index/container:Container", "id": "c1",
		 "inputs": {"labels": [{"label": "tarot.workload", "value": "backend"}], "networksAdvanced": [{"name": "n1", "aliases": ["backend"]}]}},
		{"urn": "u::x::tarot-prod-migrate", "type": "docker:index/container:Container", "id": "c2", "inputs": {"labels": [{"label": "tarot.workload", "value": "migrate"}, {"label": "tarot.attempt", "value": "0"}]}},
		{"urn": "u::x::tarot-prod-backend-files", "type": "docker:index/container:Container", "id": "c3", "inputs": {"labels": [{"label": "tarot.stack", "value": "tarot-prod"}], "networksAdvanced": {"ciphertext": "v1:y"}}},
		{"urn": "u::x::tarot-prod-old", "type": "docker:index/container:Container", "id": "c4", "delete": true},
		{"urn": "u::x::storage-data", "type": "docker:index/volume:Volume", "id": "data"},
		{"urn": "u::x::token", "type": "random:index/randomPassword:RandomPassword", "id": "none"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Declared{
		{Kind: "container", Name: "tarot-prod-backend-1", ID: "c1", Networks: map[string][]string{"n1": {"backend"}}},
		{Kind: "container", Name: "tarot-prod-migrate", ID: "c2", Job: true}, {Kind: "container", Name: "tarot-prod-backend-files", ID: "c3", Job: true},
		{Kind: "volume", Name: "storage-data", ID: "data"},
	}
	if !reflect.DeepEqual(w.Resources, want) || !strings.Contains(string(w.Outputs), "https://x") {
		t.Errorf("%+v, %s", w.Resources, w.Outputs)
	}
	if _, err := whole([]byte("no JSON")); err == nil {
		t.Error("what is no state is read")
	}
}
