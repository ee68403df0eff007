package compose

import (
	"maps"
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

// longest is what each kind of name may be.
const longest = 30

// entry is a name as a stack file's entries have them: a DNS label.
func entry(name string) string {
	name = strings.Trim(noLetters.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = "s-" + name
	}
	return strings.Trim(name[:min(len(name), longest)], "-")
}

// free is a name that no entry has.
func free(all map[string]string, name string) string {
	const room = 3 // for a number
	for n, base := 2, name[:min(len(name), longest-room)]; all[name] != ""; n++ {
		name = entry(base + "-" + strconv.Itoa(n))
	}
	return name
}

// hostVariable is a variable that may hold nothing but a host's name.
var hostVariable = regexp.MustCompile(`(?i)(host|hosts|addr|address|server|servers|url|uri|upstream|broker|endpoint|_db|nodes?)$`)

// host is where a variable names a host: in a URL, with a port, or where the variable's own
// name says that it is one, alone and in a list.
func host(variable, name string) *regexp.Regexp {
	name = regexp.QuoteMeta(name)
	if hostVariable.MatchString(variable) {
		return regexp.MustCompile(`(^|//|[@,\s])` + name + `(:[0-9]+|[/?,\s]|$)`)
	}
	return regexp.MustCompile(`(//|@)` + name + `([:/?,\s]|$)|(^|[,\s])` + name + `(:[0-9]+)`)
}

// rename writes the new names of services where a variable names them as hosts.
func (im *importer) rename(variable, value string) string {
	for _, old := range slices.Sorted(maps.Keys(im.names)) {
		if own := im.names[old]; old != own && old != im.cache {
			value = host(variable, old).ReplaceAllStringFunc(value, func(found string) string { return strings.Replace(found, old, own, 1) })
		}
	}
	return value
}
