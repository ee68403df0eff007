package main

import (
	"strings"
	"testing"
)

func TestVersionsAreTold(t *testing.T) {
	plugins, err := pluginsOf([]byte(`[{"name":"docker","kind":"resource","version":"4.11.2"},{"name":"docker","kind":"resource","version":"4.8.0"},
		{"name":"random","kind":"resource","version":"4.21.1"},{"name":"go","kind":"language","version":"3.1.0"}]`))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	v := versions{Version: "1.4.0", Commit: "0123456789ab", Dirty: true, Pulumi: "3.259.0", Plugins: plugins, Unknown: []string{"engine: it does not answer"}}
	if err := v.write(&text); err != nil {
		t.Fatal(err)
	}
	want := "version        1.4.0\ncommit         0123456789ab, with changes that are in no commit\npulumi         3.259.0\n" +
		"docker plugin  4.11.2, 4.8.0\nrandom plugin  4.21.1\n? engine: it does not answer\n"
	if text.String() != want {
		t.Errorf("\n%s\nwant\n%s", &text, want)
	}
	if _, err := pluginsOf([]byte("error: no")); err == nil {
		t.Error("what can't be read is no plugin")
	}
}
