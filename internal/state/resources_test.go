package state

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// What is secret in a state is opened, wherever it is in a value.
func TestAnExportedStateIsOpened(t *testing.T) {
	const sealed = `{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": `
	all, err := ResourcesOf([]byte(`{"deployment": {"resources": [{"urn": "a::b::c", "type": "t", "id": "1", "delete": true,
		"inputs": {"uploads": ` + sealed + `"[{\"file\":\"f\",\"content\":` + strings.ReplaceAll(sealed, `"`, `\"`) + `\"\\\"deep\\\"\"}}]"}, "plain": [1, ` + sealed + `"\"x\""}]},
		"outputs": {"name": "n"}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	r := all[0]
	inputs, _ := json.Marshal(r.Inputs)
	if r.Name() != "c" || r.ID != "1" || !r.Delete || r.Outputs["name"] != "n" || string(inputs) != `{"plain":[1,"x"],"uploads":[{"content":"deep","file":"f"}]}` {
		t.Errorf("%+v %s", r, inputs)
	}
	if _, err := ResourcesOf([]byte(`{"deployment": {}}`)); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	for _, wrong := range []string{`oops`, `{"deployment": {"resources": [{"inputs": {"a": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:hidden"}}}]}}`,
		`{"deployment": {"resources": [{"inputs": {"a": ` + sealed + `"hidden"}}}]}}`} {
		if _, err := ResourcesOf([]byte(wrong)); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
