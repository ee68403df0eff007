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

// PartsGroup renders the rules of a part: a template as rules.yml.tmpl is, of a group. .For and
// .Over are waits and windows, .Runbooks is what links begin with, and .Part what the part
// itself has to say.
func PartsGroup(name, source string, timeScale float64, runbooks string, part any) (Group, error) {
	var text strings.Builder
	err := parse(name, source).Execute(&text, struct {
		Config
		Part any
	}{Config{TimeScale: timeScale, Runbooks: runbooks}, part})
	return Group{name, text.String()}, err
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
