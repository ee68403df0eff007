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

// An unknown field is an error of ours that the golden files would miss.
var parsed = template.Must(template.New("nginx.conf").Option("missingkey=error").Parse(source))

// Config is what the configuration depends on.
type Config struct {
	// Workers is the number of worker processes.
	Workers int
	// BackendPort is the port of the workload named backend.
	BackendPort int
	// TLS listens for HTTPS and redirects HTTP to it.
	TLS bool
	// Certificate and Key are paths in the container.
	Certificate, Key string
	// HTTPSSuffix is ":port" where HTTPS is not published on 443.
	HTTPSSuffix string
	// HostSuffix is ":port" where the site is not on its scheme's own port.
	HostSuffix string
	// MaxBody is the largest request body, in bytes.
	MaxBody int64
	// RequestRate is in requests a second and client; 0 is no limit.
	RequestRate int
	// Burst is how many requests above the rate are let through at once.
	Burst int
	// ProxyTimeout is in nginx's form, such as 60s.
	ProxyTimeout string
	// HealthPath, MetricsPath and StaticPath are the application's.
	HealthPath, MetricsPath, StaticPath string
	// StaticFolder is where the static volume is mounted; empty: the backend
	// serves the static files.
	StaticFolder string
	// StaticMaxAge is in seconds.
	StaticMaxAge int
}

// Render returns the text of nginx.conf.
func Render(c Config) (string, error) {
	var text strings.Builder
	if err := parsed.Execute(&text, c); err != nil {
		return "", fmt.Errorf("nginx configuration: %w", err)
	}
	return text.String(), nil
}
