package nginx

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/part"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
)

// named is a configuration with its name.
type named struct{ name, text string }

// configurationText renders the configuration, once the replicas are there that it sends
// requests to, and picks something of it. It is named by all that nginx reads: the token
// among it is why the name tells nothing of the key.
func configurationText(c part.Context, secrets []part.SecretFile, pick func(named) string) part.Text {
	var names []string
	for _, s := range secrets {
		names = append(names, s.Secret)
	}
	cfg := Render(c)
	var services []string
	for _, s := range cfg.Upstreams() {
		services = append(services, s.Name)
	}
	return part.Made(slices.Compact(names), services, func(of part.Later) (string, error) {
		cfg := cfg.With(func(service string) ([]string, []string) {
			return of.Replicas[service].Hosts, of.Replicas[service].Addresses
		})
		text, err := assets.Render(cfg)
		if err != nil {
			return "", err
		}
		var contents []string
		for _, s := range secrets {
			content, err := s.Make(of.Secrets[s.Secret])
			if err != nil {
				return "", err
			}
			contents = append(contents, content)
		}
		sum := sha256.New()
		fmt.Fprintf(sum, "%q", append(contents, text, assets.Types()))
		if cfg.Metrics {
			fmt.Fprintf(sum, "%q", assets.Metrics())
		}
		cfg.Name = hex.EncodeToString(sum.Sum(nil)[:6])
		text, err = assets.Render(cfg)
		return pick(named{cfg.Name, text}), err
	})
}

// Render is what the configuration is made of, but for what is known later: its name and
// whom it sends requests to.
func Render(c part.Context) assets.Config {
	cfg, paths := c.Nginx, c.Backend.Paths
	rendered := assets.Config{
		Workers:        max(1, int(math.Ceil(cfg.CPUs))),
		BackendPort:    c.Backend.Port,
		TLS:            cfg.TLS.Mode != "off",
		Maintenance:    c.Maintenance,
		TrustedProxies: believed(c),
		ProxyProtocol:  cfg.ProxyProtocol,
		IPv6:           cfg.IPv6,
		MaxBody:        int64(cfg.MaxBody),
		KeptBodies:     max(1, int(cfg.Memory/4/keptBody)),
		RequestRate:    cfg.RequestRate,
		Burst:          cfg.Burst,
		Connections:    cfg.Connections,
		LoginRate:      cfg.LoginRate,
		LoginPaths:     cfg.LoginPaths,
		ProxyTimeout:   seconds(cfg.ProxyTimeout),
		HealthPath:     c.Backend.HealthPath(),
		MetricsPath:    paths.Metrics,
		StaticPath:     paths.Static,
		StaticMaxAge:   int(cfg.StaticMaxAge / time.Second),
		Metrics:        c.Monitoring.Enabled,
		Sites:          sites(c),
		Known:          known(c),
		Behind:         c.BehindEdge(),
		HSTS:           hsts(c),

		WorkerConnections: int(min(most, max(fewest, cfg.Memory/waiting))),
	}
	if c.ACME() {
		rendered.CertificateFolder = served
		if cfg.TLS.ACME.Challenge == config.ByHTTP {
			rendered.Solver = fmt.Sprintf("%s:%d", ACME, SolverPort)
		}
	}
	for i, path := range slices.Sorted(maps.Keys(cfg.Allow)) {
		rendered.Barred = append(rendered.Barred, assets.Barred{Path: path, Allow: cfg.Allow[path], Name: fmt.Sprintf("barred_%d", i+1)})
	}
	if cfg.HTTPSPort != 443 {
		rendered.HTTPSSuffix = ":" + strconv.Itoa(cfg.HTTPSPort)
	}
	if c.Runtime == "containers" {
		rendered.Any = config.BackendName // every replica's alias
	}
	if c.Volumes.Static != "" {
		rendered.StaticFolder = staticFolder
	}
	for _, p := range c.Offered.Pages {
		rendered.Pages = append(rendered.Pages, assets.Page(p))
	}
	for _, r := range c.Offered.Routes {
		addRoute(&rendered, c, r)
	}
	return rendered
}

// hsts is for how long a browser is told to ask by HTTPS alone: not of a certificate that it
// doesn't trust, as it then offers no way past that.
func hsts(c part.Context) int {
	switch c.Nginx.TLS.Mode {
	case "off", "selfSigned":
		return 0
	case "acme":
		if !c.Nginx.TLS.ACME.Trusted() {
			return 0
		}
	case "given":
		pair, err := c.GivenCertificate()
		if err != nil || pair.SelfSigned() { // an error is reported with the secrets
			return 0
		}
	}
	return int(c.Nginx.HSTS / time.Second)
}

// addRoute adds a route, and who answers by it where no other route leads there.
func addRoute(to *assets.Config, c part.Context, r part.Route) {
	to.Routes = append(to.Routes, assets.Route{Name: r.Name, Host: r.Host, Path: r.Path, Service: r.Service, Strip: r.Strip,
		Timeout: seconds(r.Timeout), MaxBody: r.MaxBody, Rate: r.Rate, Burst: r.Burst, Allow: r.Allow})
	if slices.ContainsFunc(to.Upstreams(), func(s assets.Service) bool { return s.Name == r.Service }) {
		return
	}
	service := assets.Service{Name: r.Service, Port: r.Port}
	if c.Runtime == "containers" {
		service.Any = r.Service
	}
	to.Services = append(to.Services, service)
}

// seconds is a duration in nginx's form.
func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }

// secrets are what is in the files that not everybody may read, and these files.
func secrets(c part.Context) ([]part.Secret, []part.SecretFile, error) {
	same := func(value string) (string, error) { return value, nil }
	all := []part.Secret{{Name: TokenSecret, Length: 32, Version: c.SecretVersions.EdgeToken, Rotates: "edgeToken", Component: "platform", Resource: "edge-token"}}
	files := []part.SecretFile{{Name: assets.CandidateFile, Secret: TokenSecret, Make: func(token string) (string, error) { return assets.Candidate(token), nil }}}
	switch c.Nginx.TLS.Mode {
	case "given":
		pair, err := c.GivenCertificate()
		all = append(all, part.Secret{Name: "tlsCertificate", Given: pair.Certificate}, part.Secret{Name: "tlsKey", Given: pair.Key})
		files = append(files, part.SecretFile{Name: assets.CertificateFile, Secret: "tlsCertificate", Make: same},
			part.SecretFile{Name: assets.KeyFile, Secret: "tlsKey", Make: same})
		return all, files, err
	case "selfSigned", "acme": // until there is one of a CA
		all = append(all, part.Secret{Name: "tlsSeed", Bytes: 32, Version: c.SecretVersions.TLSSeed, Rotates: "tlsSeed", Component: name, Resource: name + "-tls-seed"})
		files = append(files,
			part.SecretFile{Name: assets.CertificateFile, Secret: "tlsSeed", Make: selfSigned(c, func(p certificate.Pair) string { return p.Certificate })},
			part.SecretFile{Name: assets.KeyFile, Secret: "tlsSeed", Make: selfSigned(c, func(p certificate.Pair) string { return p.Key })})
	}
	return all, files, nil
}

// selfSigned makes a certificate of a seed: always the same, within a year.
func selfSigned(c part.Context, pick func(certificate.Pair) string) func(string) (string, error) {
	return func(seed string) (string, error) {
		bytes, err := hex.DecodeString(seed)
		if err != nil {
			return "", fmt.Errorf("tls seed: %w", err)
		}
		pair, err := certificate.SelfSigned(bytes, c.Site.Hosts, time.Now())
		return pick(pair), err
	}
}
