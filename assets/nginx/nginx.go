// Package nginx renders nginx's configuration.
package nginx

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed nginx.conf.tmpl
var source string

// page is shown to people while the site can not answer. It is put between
// single quotes, where nginx takes $ for a variable.
//
//go:embed unavailable.html
var page string

// slow is shown to people whose request took too long. It does not ask again by
// itself: the replica may still be at it.
//
//go:embed slow.html
var slow string

// types are the content types of static files.
//
//go:embed mime.types
var types string

// metrics counts what is answered; nginx.conf imports it by its name.
//
//go:embed metrics.js
var metrics string

// Metrics is the content of MetricsFile.
func Metrics() string { return metrics }

// Types is the content of TypesFile.
func Types() string { return types }

// An unknown field is an error of ours that the golden files would miss.
var parsed = template.Must(template.New("nginx.conf").Option("missingkey=error").Parse(source))

// Config is what the configuration depends on.
type Config struct {
	// Workers is the number of worker processes.
	Workers int
	// BackendPort is the port of the workload named backend.
	BackendPort int
	// Name is this configuration's own.
	Name string
	// Replicas are the backend's.
	Replicas
	// Services are who answers by Routes, beside the backend.
	Services []Service
	// Routes are the ways of users' requests to those, or to the backend with other limits.
	Routes []Route
	// Maintenance shows the page to everybody.
	Maintenance bool
	// TLS listens for HTTPS and redirects HTTP to it. The certificate and its key
	// are beside the configuration, as CertificateFile and KeyFile.
	TLS bool
	// HTTPSSuffix is ":port" where HTTPS is not published on 443.
	HTTPSSuffix string
	// CertificateFolder is where the certificate and its key are where they are not beside the
	// configuration.
	CertificateFolder string
	// Solver is who answers what CAs ask, as host:port; empty: nobody.
	Solver string
	// TrustedProxies are the networks, in CIDR form, whose X-Forwarded-For and
	// X-Forwarded-Proto are believed.
	TrustedProxies []string
	// ProxyProtocol has TrustedProxies name the client before each connection, in place of those headers. What asks
	// from inside does so at InsidePort and InsideTLSPort, without.
	ProxyProtocol bool
	// IPv6 listens there, too, on what is published.
	IPv6 bool
	// MaxBody is the largest request body, in bytes.
	MaxBody int64
	// KeptBodies is how many request bodies of up to 1 MB may be on /tmp at once.
	KeptBodies int
	// RequestRate is in requests a second and client; 0 is no limit.
	RequestRate int
	// Burst is how many requests above the rate are let through at once.
	Burst int
	// Connections is how many requests of a client may be under way at once, and LoginRate how
	// many passwords it may try a minute, at LoginPaths and at the login of Pages; 0 is no limit.
	Connections, LoginRate int
	// LoginPaths begin with / and do not end in one. What is below them counts, too.
	LoginPaths []string
	// Barred are the paths that not everybody may ask for.
	Barred []Barred
	// HSTS is for how many seconds a browser is to ask by HTTPS alone; 0: it is not told.
	HSTS int
	// WorkerConnections is how many connections a worker process may have.
	WorkerConnections int
	// ProxyTimeout is in nginx's form, such as 60s.
	ProxyTimeout string
	// HealthPath, MetricsPath and StaticPath are the application's.
	HealthPath, MetricsPath, StaticPath string
	// StaticFolder is where the static volume is mounted; empty: the backend
	// serves the static files.
	StaticFolder string
	// StaticMaxAge is in seconds.
	StaticMaxAge int
	// Metrics has nginx count what it answers, by njs, and show it on its port 8082.
	Metrics bool
	// Pages are the operator's own: what is below a path goes to its host.
	Pages []Page
	// Sites are the stacks that answer for other names than this one's.
	Sites []Site
	// Known are the names, in lower case, that are answered for where no server has them as
	// its own; any other is refused. Empty: none is.
	Known []string
	// Behind is true where an edge sends users here. It has to get an answer to what is
	// refused; anybody else gets none.
	Behind bool
}

// Replicas are who answers.
type Replicas struct {
	// Hosts are the DNS names that users' requests go to.
	Hosts []string
	// Addresses are those of the hosts, where they are known.
	Addresses []string
	// Any is a DNS name of all replicas, where Hosts are those of one each.
	Any string
}

// Page is where requests below a path go.
type Page struct {
	// Path begins with / and does not end in one.
	Path string
	// Host is a DNS name that is a variable's, too: letters, digits and _.
	Host string
	Port int
}

// Files beside nginx.conf.
const (
	CertificateFile = "tls_certificate"
	KeyFile         = "tls_key"
	CandidateFile   = "candidate.map"
	MetricsFile     = "metrics.js"
	TypesFile       = "mime.types"
	// GroupsFile has TLS's key exchange: whoever installs the configuration finds out which of
	// Groups the image's OpenSSL knows.
	GroupsFile = "tls_groups.conf"
)

// InsidePort and InsideTLSPort are where nginx listens beside its own ports where those want the PROXY protocol.
const InsidePort, InsideTLSPort = 8090, 8444

// InsidePort is for the template.
func (Config) InsidePort() int { return InsidePort }

// InsideTLSPort is for the template.
func (Config) InsideTLSPort() int { return InsideTLSPort }

// Groups are contents of GroupsFile, the best first.
func Groups() []string {
	const classic = "X25519:prime256v1:secp384r1"
	return []string{"ssl_ecdh_curve X25519MLKEM768:" + classic + ";", "ssl_ecdh_curve " + classic + ";"}
}

// Candidate is the content of CandidateFile: a host, or a host and its port.
func Candidate(token string) string {
	return `"~^` + token + `\.(?<candidate_host>[A-Za-z0-9_.-]+(:[0-9]+)?)$" $candidate_host;` + "\n"
}

// TokenIn is the token in the content of a CandidateFile.
func TokenIn(content string) (token string, found bool) {
	token, _, found = strings.Cut(content, `\.`)
	if found {
		token, found = strings.CutPrefix(token, `"~^`)
	}
	return token, found
}

// ClosedFile is what has a nginx that runs show the maintenance page at once. It is
// gone with the container: what lasts is Config.Maintenance.
const ClosedFile = "/tmp/closed"

// GroupsFile is for the template.
func (Config) GroupsFile() string { return GroupsFile }

// ClosedFile is for the template.
func (Config) ClosedFile() string { return ClosedFile }

// UnavailablePage is for the template.
func (Config) UnavailablePage() string { return quoted(page) }

// SlowPage is for the template.
func (Config) SlowPage() string { return quoted(slow) }

func quoted(page string) string {
	return strings.ReplaceAll(strings.TrimSpace(page), "'", "&#39;")
}

// Render returns the text of nginx.conf.
func Render(c Config) (string, error) {
	var text strings.Builder
	if err := parsed.Execute(&text, c); err != nil {
		return "", fmt.Errorf("nginx configuration: %w", err)
	}
	return text.String(), nil
}
