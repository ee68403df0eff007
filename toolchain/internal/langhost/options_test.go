package langhost

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

func TestParseOptions(t *testing.T) {
	cases := map[string]struct {
		in   map[string]any
		want options
		err  string
	}{
		"none":         {nil, options{}, ""},
		"binary":       {map[string]any{"binary": "bin/infra"}, options{binary: "bin/infra"}, ""},
		"build-target": {map[string]any{"buildTarget": "bin/infra"}, options{buildTarget: "bin/infra"}, ""},
		"both":         {map[string]any{"binary": "a", "buildTarget": "b"}, options{}, "exclude each other"},
		"misspelt":     {map[string]any{"buildtarget": "b"}, options{}, `"buildtarget" is not known`},
		"not-a-path":   {map[string]any{"binary": true}, options{}, "want a path"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in, err := structpb.NewStruct(c.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseOptions(in)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestParseOptionsOfNoOptions(t *testing.T) {
	if got, err := parseOptions(nil); err != nil || got != (options{}) {
		t.Errorf("got %+v, %v", got, err)
	}
}
