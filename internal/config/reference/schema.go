package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"tarot-platform/internal/config"
)

// node is a part of a JSON Schema.
type node map[string]any

// Schema returns the text of docs/stack.schema.json, by which an editor completes and checks a
// stack file (JSON Schema, draft 7). It tells kinds, numbers' ranges and one-of-these; what two keys mean to
// each other an `up` checks. folder is where the Go source of package config is.
func Schema(folder string) ([]byte, error) {
	words, err := read(folder)
	if err != nil {
		return nil, err
	}
	s := schema{words}
	tree, err := s.object(reflect.ValueOf(config.Defaults()), "")
	if err != nil {
		return nil, err
	}
	keys := node{}
	for key, value := range tree["properties"].(node) {
		member := value.(node)
		if member["type"] == "boolean" { // `pulumi config set` without --path writes a text
			member["type"], member["enum"] = []string{"boolean", "string"}, []any{true, false, "true", "false"}
		}
		keys[config.Namespace+":"+key] = member
	}
	for _, one := range words.secrets {
		keys[config.Namespace+":"+one.key] = encrypted("A secret: pulumi config set --secret " + config.Namespace + ":" + one.key + ". " + one.meaning)
	}
	whole := node{
		"$schema":  "http://json-schema.org/draft-07/schema#",
		"title":    "A stack file",
		"$comment": "Generated from internal/config by `go generate ./internal/config`. Do not edit.",
		"type":     "object",
		"properties": node{"config": node{
			"type": "object", "properties": keys,
			"patternProperties": node{
				// A secret of one's own, and other programs' keys.
				"^" + config.Namespace + ":[A-Z][A-Z0-9_]*$": encrypted("A secret of your own, listed in backend.secrets or secretEnvironment, or in those of a service."),
				notOurs(config.Namespace + ":"):              node{},
			},
			"additionalProperties": false,
		}},
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(whole)
	return text.Bytes(), err
}

// notOurs is an expression for what does not begin with a text; RE2 has no look-ahead.
func notOurs(prefix string) string {
	var all []string
	for i := range prefix {
		all = append(all, regexp.QuoteMeta(prefix[:i])+"([^"+regexp.QuoteMeta(prefix[i:i+1])+"]|$)")
	}
	return "^(" + strings.Join(all, "|") + ")"
}

func encrypted(description string) node {
	return node{"description": description, "type": "object", "properties": node{"secure": node{"type": "string"}}, "required": []string{"secure"}, "additionalProperties": false}
}

type schema struct{ words }

// object is a struct, of which no key is required: what is left out has its default.
func (s *schema) object(value reflect.Value, meaning string) (node, error) {
	members := node{}
	for i := range value.NumField() {
		field := value.Type().Field(i)
		key := field.Tag.Get("key")
		if key == "" {
			continue
		}
		member, err := s.member(field, value.Field(i), s.fields[value.Type().Name()+"."+field.Name])
		if err != nil {
			return nil, fmt.Errorf("config: %s.%s: %w", value.Type().Name(), field.Name, err)
		}
		members[key] = member
	}
	made := node{"type": "object", "properties": members, "additionalProperties": false}
	if text := strings.TrimSpace(meaning + " " + rest(s.types[value.Type().Name()])); text != "" {
		made["description"] = text
	}
	return made, nil
}

func (s *schema) member(field reflect.StructField, value reflect.Value, meaning string) (node, error) {
	if field.Type.Kind() == reflect.Struct {
		return s.object(value, meaning)
	}
	allowed := field.Tag.Get("allowed")
	description := meaning + " Allowed: " + allowed + "."
	if entry, several := config.EntryOf(field.Type); several {
		of, err := s.object(entry, "")
		return node{"type": "object", "description": description, "additionalProperties": of}, err
	}
	written, err := defaultOf(value)
	if err != nil {
		return nil, err
	}
	made, err := kind(field.Type, allowed)
	if err != nil {
		return nil, err
	}
	made["description"] = description + " Default: " + written
	return made, nil
}

// kind is what a value has to be; allowed is its tag.
func kind(t reflect.Type, allowed string) (node, error) {
	word, err := kindOf(t)
	if err != nil {
		return nil, err
	}
	texts := node{"type": "array", "items": node{"type": "string"}}
	switch word {
	case "duration":
		return node{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`}, nil
	case "size":
		return node{"type": "string", "pattern": config.SizePattern}, nil
	case "list":
		return texts, nil
	case "map": // `pulumi config set --path` makes numbers and booleans of what looks like one
		return node{"type": "object", "additionalProperties": node{"type": []string{"string", "number", "boolean"}}}, nil
	case "map of lists":
		return node{"type": "object", "additionalProperties": texts}, nil
	case "integer", "number":
		made := node{"type": word}
		if least, most, is := limits(allowed); is {
			made["minimum"] = least
			if most != "" {
				made["maximum"] = json.Number(most)
			}
		}
		return made, nil
	case "string":
		made := node{"type": word}
		if all := oneOf(allowed); all != nil {
			made["enum"] = all
		}
		return made, nil
	}
	return node{"type": word}, nil
}

var (
	between = regexp.MustCompile(`^(0, or )?a (?:whole )?number from ([0-9.]+) to ([0-9.]*[0-9])?`)
	choice  = regexp.MustCompile(`^[a-zA-Z0-9-]+(, [a-zA-Z0-9-]+)* or [a-zA-Z0-9-]+$`)
)

// limits are those of a number; most is empty where it is none, such as "the cores of the engine".
func limits(allowed string) (least json.Number, most string, is bool) {
	found := between.FindStringSubmatch(allowed)
	switch {
	case found == nil:
		return "", "", false
	case found[1] != "":
		return "0", found[3], true
	}
	return json.Number(found[2]), found[3], true
}

// oneOf are the texts of which a value is one; nil: it is of another kind.
func oneOf(allowed string) (all []string) {
	if !choice.MatchString(allowed) {
		return nil
	}
	for word := range strings.FieldsFuncSeq(strings.ReplaceAll(allowed, " or ", ","), func(r rune) bool { return r == ',' || r == ' ' }) {
		if word == "empty" {
			word = ""
		}
		all = append(all, word)
	}
	return all
}
