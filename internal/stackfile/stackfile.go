// Package stackfile reads what Pulumi.<stack>.yaml says of secrets. Pulumi itself tells a
// program no more than that somewhere below a top-level key there is one.
package stackfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Secrets are the paths of the encrypted values, as `pulumi config --path` writes them.
func Secrets(file []byte) ([]string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		return nil, err
	}
	var paths []string
	for key, value := range members(member(&document, "config")) {
		walk(value, key.Value, func(path string, _ *yaml.Node) { paths = append(paths, path) })
	}
	slices.Sort(paths)
	return paths, nil
}

// Forget returns the file without its salt and without its secrets, and their paths. One
// inside an object or a list leaves an empty text behind, so that all else keeps its path.
func Forget(file []byte) (rest []byte, paths []string, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		return nil, nil, err
	}
	if len(document.Content) > 0 {
		remove(document.Content[0], func(key string, _ *yaml.Node) bool { return key == "encryptionsalt" })
	}
	config := member(&document, "config")
	if config == nil {
		return nil, nil, fmt.Errorf("there is no config")
	}
	remove(config, func(key string, value *yaml.Node) bool {
		if secure(value) {
			paths = append(paths, key)
		}
		return secure(value)
	})
	for key, value := range members(config) {
		walk(value, key.Value, func(path string, secret *yaml.Node) {
			paths = append(paths, path)
			*secret = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle}
		})
	}
	rest, err = yaml.Marshal(&document)
	return rest, paths, err
}

// secure is true for an encrypted value: {secure: v1:…}.
func secure(node *yaml.Node) bool {
	return node.Kind == yaml.MappingNode && len(node.Content) == 2 && node.Content[0].Value == "secure" && node.Content[1].Kind == yaml.ScalarNode
}

func walk(node *yaml.Node, path string, found func(string, *yaml.Node)) {
	if secure(node) {
		found(path, node)
		return
	}
	for key, value := range members(node) {
		walk(value, path+step(key.Value), found)
	}
	if node.Kind == yaml.SequenceNode {
		for i, element := range node.Content {
			walk(element, fmt.Sprintf("%s[%d]", path, i), found)
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func step(key string) string {
	if plainKey.MatchString(key) {
		return "." + key
	}
	return `["` + strings.ReplaceAll(key, `"`, `\"`) + `"]`
}

// members are a mapping's keys and values; none of anything else.
func members(node *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i], node.Content[i+1]) {
				return
			}
		}
	}
}

func member(document *yaml.Node, name string) *yaml.Node {
	if document.Kind == yaml.DocumentNode && len(document.Content) > 0 {
		document = document.Content[0]
	}
	for key, value := range members(document) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

func remove(mapping *yaml.Node, which func(key string, value *yaml.Node) bool) {
	var kept []*yaml.Node
	for key, value := range members(mapping) {
		if !which(key.Value, value) {
			kept = append(kept, key, value)
		}
	}
	mapping.Content = kept
}
