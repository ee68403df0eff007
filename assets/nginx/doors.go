package nginx

import (
	"regexp"
	"slices"
	"strings"
)

// Barred is a path that not everybody may ask for, nor for what is below it.
type Barred struct {
	// Path begins with / and does not end in one.
	Path string
	// Allow are the networks, in CIDR form, that may.
	Allow []string
	// Name is a variable's: letters, digits and _.
	Name string
}

// Pattern is for the template: the path as a regular expression.
func (b Barred) Pattern() string { return regexp.QuoteMeta(b.Path) }

// LoginPatterns are for the template: LoginPaths as regular expressions.
func (c Config) LoginPatterns() []string {
	var all []string
	for _, path := range c.LoginPaths {
		all = append(all, regexp.QuoteMeta(path))
	}
	return all
}

// LoginPause is for the template: in how many seconds one more password may be tried.
func (c Config) LoginPause() int {
	rate := max(1, c.LoginRate)
	return (60 + rate - 1) / rate
}

// Names are for the template: those of the first server, as nginx has them. The first one is
// what a request without any is taken for. Where nobody is refused it takes all by itself.
func (c Config) Names() string {
	names := "_"
	var others []string
	for _, r := range c.Routes {
		others = append(others, strings.ToLower(r.Host))
	}
	for _, s := range c.SiteServers() {
		others = append(others, strings.Fields(s.Host)...)
	}
	for _, name := range c.Known {
		if !slices.Contains(others, name) && !strings.Contains(name, ":") { // an IPv6 address
			names += " " + name
		}
	}
	return names
}
