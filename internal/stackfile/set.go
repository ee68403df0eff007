package stackfile

import (
	"bytes"
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Set returns the file with a text at a path of keys below config, of which the first is with
// its namespace. Comments and the order of the keys stay.
func Set(file []byte, path []string, text string) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		return nil, err
	}
	node := member(&document, "config")
	if node == nil {
		return nil, errors.New("there is no config")
	}
	for i, key := range path {
		if node.Kind != yaml.MappingNode || secure(node) {
			return nil, fmt.Errorf("%v: %s is no object", path, path[i-1])
		}
		if len(node.Content) == 0 {
			node.Style = 0 // {} is written in lines once it holds something
		}
		next := member(node, key)
		if next == nil {
			next = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, next)
		}
		node = next
	}
	comment := node.LineComment
	*node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, LineComment: comment}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2) // as Pulumi writes it
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}
