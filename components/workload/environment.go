package workload

import (
	"maps"
	"slices"
	"strings"
)

// EnvironmentFile is the file below ConfigDir that a runtime may give the
// environment by.
const EnvironmentFile = "environment"

// EnvironmentPath is where that file is in the container.
const EnvironmentPath = ConfigDir + "/" + EnvironmentFile

// ShellStartup is the variable that an interactive POSIX shell finds a file by that
// it reads first: with it `docker exec -it … sh` has the environment, too.
const ShellStartup = "ENV"

// FullEnvironment is the environment with the variables that name the secrets'
// files, as sorted NAME=value pairs. The variables that hold a secret itself are
// not among them.
func (w Workload) FullEnvironment() []string {
	all := maps.Clone(w.Environment)
	if all == nil {
		all = map[string]string{}
	}
	for _, s := range w.Secrets {
		if s.Variable != "" {
			all[s.Variable] = s.Path()
		}
		delete(all, s.Export)
	}
	pairs := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, name+"="+all[name])
	}
	return pairs
}

// Exports is true where a secret has to be in a variable: only a program in the
// container can put it there without its being readable from outside.
func (w Workload) Exports() bool {
	return slices.ContainsFunc(w.Secrets, func(s Secret) bool { return s.Export != "" })
}

// EnvironmentScript is the whole environment as a POSIX shell script. It holds no
// secret: those that are exported are read from their files where it runs.
func (w Workload) EnvironmentScript() string {
	var script strings.Builder
	if _, own := w.Environment[ShellStartup]; !own {
		// It is for shells, and no word for the program; unless the image has set it.
		script.WriteString(`if [ "${` + ShellStartup + `-}" = ` + EnvironmentPath + ` ]; then unset ` + ShellStartup + "; fi\n")
	}
	script.WriteString(ShellExports(w.FullEnvironment()))
	if w.Home {
		script.WriteString(homeScript)
	}
	for _, s := range w.Secrets {
		if s.Export != "" {
			script.WriteString(s.Export + "=$(cat '" + s.Path() + "') && export " + s.Export + " || return 1\n")
		}
	}
	return script.String()
}

// homeScript is for a user whom the image's /etc/passwd does not know, and whose HOME is then
// the root folder. USER is the name that the image knows, if any: no engine sets it.
const homeScript = `if [ "${HOME:-/}" = / ]; then export HOME=/tmp; fi
USER="${USER:-$(id -un 2>/dev/null)}" || USER=app; export USER
`

// Preamble is what goes before all that runs in a container, where loads says that its
// environment is in a file, as lines of a shell script; empty: nothing.
func (w Workload) Preamble(loads bool, otherwise string) string {
	switch {
	case loads:
		return ". " + EnvironmentPath + " || " + otherwise + "\n"
	case w.Home:
		return homeScript
	}
	return ""
}

// Homed is a command that has a HOME and becomes the words that follow it. name is as in Loaded.
func Homed(name string) []string { return []string{"/bin/sh", "-c", homeScript + `exec "$@"`, name} }

// Loaded is a command that loads the environment file and becomes the words that
// follow it. name is what the shell calls itself in its errors.
func Loaded(name string) []string {
	return []string{"/bin/sh", "-c", ". " + EnvironmentPath + ` && exec "$@"`, name}
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
