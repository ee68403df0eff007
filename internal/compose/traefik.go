package compose

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// balancing is what traefik's labels say of a service.
type balancing struct {
	port  int
	hosts []string
	// prefixes are paths, of rules that have one.
	prefixes []string
	// odd are labels with rules of another form.
	odd []string
}

var (
	ruleLabel = regexp.MustCompile(`^traefik\.http\.routers\.[^.]+\.rule$`)
	portLabel = regexp.MustCompile(`^traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port$`)
	plainRule = regexp.MustCompile("^\\s*Host\\(`([^`]+)`\\)\\s*(?:&&\\s*PathPrefix\\(`([^`]+)`\\)\\s*)?$")
	pathRule  = regexp.MustCompile("^\\s*PathPrefix\\(`([^`]+)`\\)\\s*$")
)

// labels are a service's, wherever they are written.
func labels(s types.ServiceConfig) map[string]string {
	all := maps.Clone(map[string]string(s.Labels))
	if all == nil {
		all = map[string]string{}
	}
	if s.Deploy != nil {
		maps.Copy(all, s.Deploy.Labels)
	}
	return all
}

// balanced reads rules of one host, one path, or both; each once.
func balanced(labels map[string]string) balancing {
	var b balancing
	add := func(all *[]string, value string) {
		if value != "" && !slices.Contains(*all, value) {
			*all = append(*all, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		value := labels[name]
		switch {
		case portLabel.MatchString(name):
			b.port, _ = strconv.Atoi(value)
		case !ruleLabel.MatchString(name):
		case plainRule.MatchString(value):
			found := plainRule.FindStringSubmatch(value)
			add(&b.hosts, found[1])
			add(&b.prefixes, strings.TrimSuffix(found[2], "/"))
		case pathRule.MatchString(value):
			add(&b.prefixes, strings.TrimSuffix(pathRule.FindStringSubmatch(value)[1], "/"))
		default:
			b.odd = append(b.odd, name)
		}
	}
	return b
}
