// Package site is where the stack answers, and by which name it is asked.
package site

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/config"
)

// Site is how a stack is reached. Host is the engine's host, as seen from here, and Local
// is true where that is this machine.
type Site struct {
	config.Config
	Host  string
	Local bool
	// Front is where users come to the edge that the stack is behind.
	Front Front
}

// Front is where users come to an edge; the zero one: by HTTPS, at its own port.
type Front struct {
	Scheme string
	Port   int
}

// URL is where the stack answers, as users ask for it.
func (s Site) URL(ctx context.Context) string {
	if s.BehindEdge() { // by another name, it answers with something else
		return s.At(s.Given())
	}
	host := s.Address()
	if s.Nginx.Enabled && len(s.Nginx.ServerNames) > 0 && resolves(ctx, s.Nginx.ServerNames[0]) {
		host = s.Nginx.ServerNames[0]
	}
	return s.At(host)
}

// Name is what the site is called by who asks for it, whether or not that name leads here
// yet: the first of its names, and where there is none its address.
func (s Site) Name() string {
	if name := s.Given(); name != "" {
		return name
	}
	return s.Address()
}

// Given is the first of the names that nginx is configured with. Of a pattern, it is one
// that matches it. Empty: there is none.
func (s Site) Given() string {
	if !s.Nginx.Enabled || len(s.Nginx.ServerNames) == 0 {
		return ""
	}
	return strings.Replace(s.Nginx.ServerNames[0], "*.", "www.", 1)
}

// Names are all names of the site, as a certificate has them.
func (s Site) Names() []string {
	own := []string{s.Host}
	if s.Local {
		own = append(own, "localhost", "127.0.0.1")
	}
	slices.Sort(own)
	return slices.Compact(slices.Concat(s.Nginx.ServerNames, s.Hosts(), s.SiteNames(), own))
}

// Address is where published ports are reached from the machine that Pulumi runs on.
func (s Site) Address() string {
	if s.BehindEdge() {
		return s.Host
	}
	if s.Nginx.Enabled {
		return s.Reached(s.Nginx.Address)
	}
	return s.Reached(s.Backend.PublishAddress)
}

// Reached is where a port is reached that is published on an address: there alone,
// where that is one of the machine's own.
func (s Site) Reached(published string) string {
	if ip := net.ParseIP(published); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
		return published
	}
	return s.Host
}

// At is the site's URL with a host.
func (s Site) At(host string) string {
	switch {
	case s.BehindEdge():
		return URL(cmp.Or(s.Front.Scheme, "https"), host, cmp.Or(s.Front.Port, 443))
	case !s.Nginx.Enabled:
		return URL("http", host, s.Backend.PublishPort)
	case s.Nginx.TLS.Mode == "off":
		return URL("http", host, s.Nginx.HTTPPort)
	}
	return URL("https", host, s.Nginx.HTTPSPort)
}

// Named is an address with the site's own name, and the host that it is to be asked
// of: an application may refuse every other name, and the name may not lead here yet.
func (s Site) Named(base string) (named, connect string, err error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", "", err
	}
	connect = u.Hostname()
	name := s.Name()
	if port := u.Port(); port != "" {
		u.Host = net.JoinHostPort(name, port)
	} else if u.Host = name; strings.Contains(name, ":") {
		u.Host = "[" + name + "]"
	}
	return u.String(), connect, nil
}

// URL leaves out the port that is the scheme's own.
func URL(scheme, host string, port int) string {
	if strings.Contains(host, ":") { // an IPv6 address
		host = "[" + host + "]"
	}
	if port == map[string]int{"http": 80, "https": 443}[scheme] {
		return scheme + "://" + host
	}
	return scheme + "://" + host + ":" + strconv.Itoa(port)
}

// resolves is false for a name that no DNS here knows (yet): an address with it
// would not answer.
func resolves(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, name)
	return err == nil && len(found) > 0
}
