package langhost

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"
)

// options are what Pulumi.yaml may say under runtime.options.
type options struct {
	binary      string // a program that is already built: nothing is compiled
	buildTarget string // where to put the compiled program, instead of the cache
}

// parseOptions is strict: an option that is misspelt would otherwise be ignored in silence.
func parseOptions(in *structpb.Struct) (options, error) {
	var out options
	known := map[string]*string{"binary": &out.binary, "buildTarget": &out.buildTarget}
	for key, value := range in.GetFields() {
		field, ok := known[key]
		if !ok {
			return options{}, fmt.Errorf("runtime option %q is not known; known are binary and buildTarget", key)
		}
		text, ok := value.GetKind().(*structpb.Value_StringValue)
		if !ok {
			return options{}, fmt.Errorf("runtime option %q: got %v, want a path", key, value)
		}
		*field = text.StringValue
	}
	if out.binary != "" && out.buildTarget != "" {
		return options{}, errors.New("runtime options binary and buildTarget exclude each other")
	}
	return out, nil
}
