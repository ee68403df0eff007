package workload

import (
	"maps"
	"slices"
	"strings"
)

// EnvironmentFile is the file below ConfigDir that a runtime may give the
// environment by.
const EnvironmentFile = "environment"

// FullEnvironment is the environment with the variables that name the secrets'
// files, as sorted NAME=value pairs.
func (w Workload) FullEnvironment() []string {
	all := maps.Clone(w.Environment)
	if all == nil {
		all = map[string]string{}
	}
	for _, s := range w.Secrets {
		if s.Variable != "" {
			all[s.Variable] = s.Path()
		}
	}
	pairs := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, name+"="+all[name])
	}
	return pairs
}

// ShellExports writes NAME=value pairs as a POSIX shell script that exports them.
func ShellExports(pairs []string) string {
	var script strings.Builder
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		script.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	return script.String()
}
