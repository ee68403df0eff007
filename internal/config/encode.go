package config

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// SchemaLine begins a stack file, for editors.
const SchemaLine = "# yaml-language-server: $schema=docs/stack.schema.json"

// StackFile is a stack file that says what cfg does, without its secrets: with every key, in
// the order of Config, and of each entry of a user's own what is no default. It begins with
// the comment. The form is the one that Pulumi writes, so that `pulumi config set` changes no
// other line.
func (cfg Config) StackFile(comment string) ([]byte, error) {
	top, err := object(reflect.ValueOf(cfg), nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(top.Content); i += 2 {
		top.Content[i].Value = Namespace + ":" + top.Content[i].Value
		if value := top.Content[i+1]; value.Kind == yaml.ScalarNode && value.Tag != "!!str" {
			value.SetString(value.Value) // Pulumi knows texts at the top
			value.Style = yaml.DoubleQuotedStyle
		}
	}
	file := &yaml.Node{Kind: yaml.MappingNode, HeadComment: comment, Content: []*yaml.Node{scalar("config"), top}}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// object writes a struct's keys; other than is what they are where nothing is said: then they
// are left out. nil: none is.
func object(value reflect.Value, other *reflect.Value) (*yaml.Node, error) {
	all := &yaml.Node{Kind: yaml.MappingNode}
	for i := range value.NumField() {
		key := value.Type().Field(i).Tag.Get("key")
		if key == "" {
			continue
		}
		var usual *reflect.Value
		if other != nil {
			field := other.Field(i)
			if usual = &field; reflect.DeepEqual(field.Interface(), value.Field(i).Interface()) {
				continue
			}
		}
		node, err := written(value.Field(i), usual)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		all.Content = append(all.Content, scalar(key), node)
	}
	return flow(all), nil
}

func written(value reflect.Value, other *reflect.Value) (*yaml.Node, error) {
	if value.Kind() == reflect.Struct {
		return object(value, other)
	}
	switch v := value.Interface().(type) {
	case time.Duration:
		return scalar(DurationText(v)), nil
	case Bytes:
		return scalar(v.String()), nil
	}
	if usual, several := EntryOf(value.Type()); several {
		all := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.SortedFunc(slices.Values(value.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			node, err := object(value.MapIndex(name), &usual)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all.Content = append(all.Content, scalar(name.String()), node)
		}
		return flow(all), nil
	}
	switch v := value.Interface().(type) {
	case map[string]string:
		all := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all.Content = append(all.Content, scalar(name), scalar(v[name]))
		}
		return flow(all), nil
	case []string:
		all := &yaml.Node{Kind: yaml.SequenceNode}
		for _, word := range v {
			all.Content = append(all.Content, scalar(word))
		}
		return flow(all), nil
	}
	node := &yaml.Node{}
	return node, node.Encode(value.Interface())
}

// scalar is a text, in quotes where it would be something else without.
func scalar(text string) *yaml.Node {
	node := &yaml.Node{}
	_ = node.Encode(text) // a text is always encoded
	return node
}

// flow writes what is empty in one line.
func flow(node *yaml.Node) *yaml.Node {
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	return node
}

// DurationText is a duration as a stack file has it: 1m, and not 1m0s.
func DurationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
