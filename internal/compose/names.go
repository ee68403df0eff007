package compose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarot-platform/internal/config"
)

// name gives every service that stays one a name that the engine's DNS, and a stack file, can
// have.
func (im *importer) name() {
	im.names = map[string]string{im.backend: config.BackendName}
	if im.cache != "" {
		im.names[im.cache] = "valkey"
	}
	taken := slices.Clone(config.Reserved)
	for _, name := range im.project.ServiceNames() {
		if im.roles[name] != program || name == im.backend || name == im.migrate {
			continue
		}
		own := entry(name)
		if slices.Contains(taken, own) {
			own = entry(own + "-service")
		}
		for n := 2; slices.Contains(taken, own); n++ {
			own = entry(name + "-" + strconv.Itoa(n))
		}
		taken = append(taken, own)
		im.names[name] = own
		if own != name {
			im.miss("services."+name, "no service here can have this name", "it is called "+own+", as a host too; what names it in a variable was changed, what names it in a file is yours to change")
		}
	}
}

var noLetters = regexp.MustCompile(`[^a-z0-9]+`)

// longest is what an entry's name may be at most.
const longest = 32

// entry is a name as a stack file's entries have them: a DNS label.
func entry(name string) string {
	name = strings.Trim(noLetters.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = "s-" + name
	}
	return strings.Trim(name[:min(len(name), longest)], "-")
}

// hostVariable is a variable that may hold nothing but a host's name.
var hostVariable = regexp.MustCompile(`(?i)(host|addr|address|server|url|uri|upstream|broker|endpoint|_db|nodes?)$`)

// host is where a text names a host: alone, in a URL, in a list.
func host(name string) *regexp.Regexp {
	return regexp.MustCompile(`(^|//|[@,\s])` + regexp.QuoteMeta(name) + `(:[0-9]+|[/?,\s]|$)`)
}

// rename writes the new names of services where a variable names them as hosts. What is the
// name alone counts where the variable's own name says that it is one.
func (im *importer) rename(variable, value string) string {
	for old, own := range im.names {
		if old == own || old == im.cache || value == old && !hostVariable.MatchString(variable) {
			continue
		}
		value = host(old).ReplaceAllString(value, "${1}"+own+"${2}")
	}
	return value
}
