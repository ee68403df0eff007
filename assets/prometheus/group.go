package prometheus

import (
	"fmt"
	"strings"
)

// Group is a group of rules.
type Group struct {
	Name string
	// YAML is the group, as in the file's list of groups.
	YAML string
}

// Watching are the rules about the monitoring itself.
func Watching(c Config) (Group, error) {
	const name = "monitoring"
	if err := c.check(); err != nil {
		return Group{}, fmt.Errorf("rules of %s: %w", name, err)
	}
	var text strings.Builder
	err := parsedRules.ExecuteTemplate(&text, name, c)
	return Group{name, text.String()}, err
}
