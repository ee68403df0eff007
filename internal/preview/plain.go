package preview

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// opened is a value of a state, or of a saved plan, with what is secret as it is: stand-ins, here.
func opened(value any) any {
	switch value := value.(type) {
	case []any:
		all := make([]any, len(value))
		for i := range value {
			all[i] = opened(value[i])
		}
		return all
	case map[string]any:
		if value[signature] == secretValue {
			text, _ := value["plaintext"].(string)
			var inner any
			if json.Unmarshal([]byte(text), &inner) != nil {
				return blinded
			}
			return opened(inner)
		}
		all := make(map[string]any, len(value))
		for key := range value {
			all[key] = opened(value[key])
		}
		return all
	}
	return value
}

// named is true where Pulumi has given the resource its name.
func named(inputs map[string]any) bool {
	defaults, _ := inputs["__defaults"].([]any)
	return slices.Contains(defaults, any("name"))
}

// suffix is what Pulumi puts after a name, another one each time.
var suffix = regexp.MustCompile(`-[0-9a-f]{7}$`)

// plain takes out of the plan what differs from one preview to the next, of the same program: the
// suffixes of names that Pulumi gives, wherever they are, and what is encrypted.
func (p plan) plain() {
	var pairs []string
	for _, r := range p.resources {
		if name, is := r.Inputs["name"].(string); is && named(r.Inputs) && suffix.MatchString(name) {
			pairs = append(pairs, name, suffix.ReplaceAllString(name, "-(suffix)"))
		}
	}
	names := strings.NewReplacer(pairs...)
	for _, r := range p.resources {
		for property, value := range r.Inputs {
			r.Inputs[property] = plainly(value, names)
		}
	}
}

func plainly(value any, names *strings.Replacer) any {
	switch value := value.(type) {
	case string:
		if sealed(value) {
			return "(encrypted)"
		}
		return names.Replace(value)
	case []any:
		for i := range value {
			value[i] = plainly(value[i], names)
		}
	case map[string]any:
		for key := range value {
			value[key] = plainly(value[key], names)
		}
	}
	return value
}

// sealed is true for a text that is base64 of something long that is none.
func sealed(text string) bool {
	const long = 200
	text = strings.TrimSpace(text)
	if len(text) < long || strings.ContainsAny(text, " \n") {
		return false
	}
	data, err := base64.StdEncoding.DecodeString(text)
	return err == nil && !utf8.Valid(data)
}
