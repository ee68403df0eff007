package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Namespace is the configuration namespace. The project's name may be another one.
const Namespace = "tarot"

// engineMinimum is the least memory that the engine gives a container
// (linuxMinMemory in moby's daemon/daemon_unix.go).
const engineMinimum = 6 << 20

var (
	volumeName   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	secretName   = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	userName     = regexp.MustCompile(`^[1-9][0-9]{0,9}:[1-9][0-9]{0,9}$`)
	platformName = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$`)
	hostName     = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
	urlPath      = regexp.MustCompile(`^/([A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$`)
	imageName    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$`)
)

// checker collects faults; a check adds one where what it looks at is wrong.
type checker struct{ decoder }

func (c *checker) want(ok bool, key string, value any) {
	if !ok {
		c.add(Fault{Namespace, key, quote(value), allowed(key)})
	}
}

func (c *checker) between(key string, value, low, high int) {
	c.want(value >= low && value <= high, key, value)
}

func (c *checker) oneOf(key, value string, values ...string) {
	c.want(slices.Contains(values, value), key, value)
}

func (c *checker) matches(key, value string, form *regexp.Regexp) {
	c.want(form.MatchString(value), key, value)
}

func (c *checker) wholeSeconds(key string, value, least time.Duration) {
	c.want(value >= least && value%time.Second == 0, key, value)
}

// Validate checks all that can be known without an engine.
func (cfg Config) Validate() error {
	c := &checker{}
	c.oneOf("runtime", cfg.Runtime, "containers", "swarm")
	cfg.Backend.check(c)
	cfg.Build.check(c)
	cfg.checkServices(c)
	cfg.checkRoutes(c)
	cfg.checkSites(c)
	cfg.checkSchedules(c)
	cfg.Nginx.check(c, cfg)
	cfg.Releases.check(c)
	cfg.Preflight.check(c)
	cfg.Monitoring.check(c, cfg)
	cfg.Database.check(c, cfg)
	cfg.Cache.check(c, cfg)
	cfg.Backup.check(c, cfg)
	cfg.Networks.check(c, cfg)
	cfg.Volumes.check(c)
	cfg.Backend.checkFolders(c, cfg.Volumes)
	cfg.checkDatabase(c)
	c.want(cfg.Logging.Driver != "", "logging.driver", cfg.Logging.Driver)
	cfg.checkSecrets(c)
	c.faults = append(c.faults, cfg.checkCertificate()...)
	cfg.checkACME(c)
	c.faults = append(c.faults, cfg.checkTogether()...)
	return c.err()
}

// checkSecrets checks own values of generated secrets, and their generations. The tag least
// of these is how many bytes an own value has to have: RFC 7518, section 3.2 wants 256 bits
// for HS256; NIST SP 800-63B wants 8 characters.
func (cfg Config) checkSecrets(c *checker) {
	versions := reflect.ValueOf(cfg.SecretVersions)
	for i := range versions.NumField() {
		tag := versions.Type().Field(i).Tag
		key := tag.Get("key")
		c.between("secretVersions."+key, int(versions.Field(i).Int()), 0, 1000000)
		least, err := strconv.Atoi(tag.Get("least"))
		if err != nil {
			panic("config: secretVersions." + key + " has no least length") // found by the first test
		}
		if n := len(cfg.Secrets[key]); n > 0 && n < least {
			c.add(Fault{Namespace, key, fmt.Sprintf("a secret of %d bytes", n), fmt.Sprintf("at least %d bytes, or none for a generated one", least)})
		}
	}
}

func quote(value any) string { return strconv.Quote(fmt.Sprint(value)) }

func (b Backend) check(c *checker) {
	if b.Image == "" {
		info, err := os.Stat(b.Context)
		c.want(err == nil && info.IsDir(), "backend.context", b.Context)
		if err == nil && info.IsDir() {
			c.want(isDockerfile(b.Context, b.Dockerfile), "backend.dockerfile", b.Dockerfile)
		}
	} else {
		c.matches("backend.image", b.Image, imageName)
	}
	b.Smoke.check(c)
	c.between("backend.replicas", b.Replicas, 1, 100)
	c.between("backend.port", b.Port, 1, 65535)
	c.between("backend.workers", b.Workers, 1, 64)
	c.want(!b.MountCode || b.Replicas == 1, "backend.mountCode", b.MountCode)
	c.between("backend.debuggerPort", b.DebuggerPort, 0, 65535)
	c.between("backend.publishPort", b.PublishPort, 0, 65535)
	_, err := netip.ParseAddr(b.PublishAddress)
	c.want(err == nil, "backend.publishAddress", b.PublishAddress)
	b.checkEnvironment(c)
	for name, address := range b.ExtraHosts {
		_, err := netip.ParseAddr(address)
		c.want(err == nil && hostName.MatchString(name) && !strings.HasPrefix(name, "*"), "backend.extraHosts", name+": "+address)
	}
	c.matches("backend.user", b.User, userName)
	c.want(b.CPUs >= 0.01, "backend.cpus", b.CPUs)
	c.want(b.Memory >= engineMinimum, "backend.memory", b.Memory)
	c.oneOf("backend.logLevel", b.LogLevel, "", "debug", "info", "warning", "error")
	b.Health.check(c)
	c.wholeSeconds("backend.drain", b.Drain, time.Second)
	c.wholeSeconds("backend.stopGrace", b.StopGrace, b.Drain+time.Second)
	for key, value := range map[string]string{
		"api": b.Paths.API, "docs": b.Paths.Docs, "admin": b.Paths.Admin,
		"metrics": b.Paths.Metrics, "static": b.Paths.Static,
	} {
		c.matches("backend.paths."+key, value, urlPath)
	}
	c.want(b.Paths.Static != "/", "backend.paths.static", b.Paths.Static)
	c.want(b.Paths.Health == "" || healthPath.MatchString(b.Paths.Health), "backend.paths.health", b.Paths.Health)
}

func (s Smoke) check(c *checker) {
	for key, value := range map[string]string{"read": s.Read, "write": s.Write, "admin": s.Admin} {
		c.want(value == "" || strings.HasPrefix(value, "/"), "backend.smoke."+key, value)
	}
	c.want(s.Body == "" || json.Valid([]byte(s.Body)), "backend.smoke.body", s.Body)
	c.want(s.Static == "" || filepath.IsLocal(s.Static), "backend.smoke.static", s.Static)
}

// releaseName is the form of the names that internal/release gives.
var releaseName = regexp.MustCompile(`^r[0-9a-f]{10}$`)

func (r Releases) check(c *checker) {
	c.between("releases.keep", r.Keep, 1, 100)
	c.want(r.Pin == "" || releaseName.MatchString(r.Pin), "releases.pin", r.Pin)
}

// databaseInVolume is true where a volume would hold the database, or the database is none
// that lives in a file.
func (cfg Config) databaseInVolume(address string) bool {
	scheme, _, ok := strings.Cut(address, "://")
	if !ok {
		return false
	}
	if dialect, _, _ := strings.Cut(scheme, "+"); dialect != "sqlite" {
		parsed, err := url.Parse(address)
		return err == nil && parsed.Host != ""
	}
	return cfg.keeps(cfg.Backend.databaseFile(address))
}

// DatabaseFile is the path of the database in the container; empty: it is none that
// lives in a file.
func (cfg Config) DatabaseFile() string {
	plain, secret := cfg.DatabaseURL()
	if secret != "" {
		plain = cfg.Secrets[secret]
	}
	return cfg.Backend.databaseFile(plain)
}

func (b Backend) databaseFile(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if dialect, _, _ := strings.Cut(scheme, "+"); dialect != "sqlite" {
		return ""
	}
	file, _, _ := strings.Cut(rest, "?")
	file, ok := strings.CutPrefix(file, "/") // sqlite:///relative, sqlite:////absolute
	if !ok || file == "" {
		return ""
	}
	if !path.IsAbs(file) {
		file = path.Join(b.WorkingDir, file)
	}
	return path.Clean(file)
}

// Network is one in CIDR form, by its first address.
func Network(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err == nil && prefix != prefix.Masked() || prefix.Addr().Is4In6() {
		err = fmt.Errorf("%q is not a network's first address", text)
	}
	return prefix, err
}

func (n Nginx) check(c *checker, cfg Config) {
	c.matches("nginx.image", n.Image, imageName)
	if n.Address != "" {
		_, err := netip.ParseAddr(n.Address)
		c.want(err == nil && cfg.Runtime != "swarm", "nginx.address", n.Address)
	}
	c.between("nginx.httpPort", n.HTTPPort, 1, 65535)
	c.between("nginx.httpsPort", n.HTTPSPort, 1, 65535)
	for _, name := range n.ServerNames {
		c.matches("nginx.serverNames", name, hostName)
	}
	c.want(n.Edge == "" || peer.MatchString(n.Edge), "nginx.edge", n.Edge)
	address, err := netip.ParseAddr(n.Address)
	c.want(!n.IPv6 || n.Enabled && n.Edge == "" && (err != nil || !address.Is4()), "nginx.ipv6", n.IPv6)
	c.want(!n.ProxyProtocol || len(n.TrustedProxies) > 0 && n.Edge == "", "nginx.proxyProtocol", n.ProxyProtocol)
	for _, network := range n.TrustedProxies {
		prefix, err := netip.ParsePrefix(network)
		c.want(err == nil && prefix == prefix.Masked() && prefix.Bits() > 0, "nginx.trustedProxies", network)
	}
	for _, network := range n.AllowFrom {
		_, err := Network(network)
		c.want(err == nil && n.Enabled && n.Edge == "", "nginx.allowFrom", network)
	}
	c.want(n.CPUs >= 0.01, "nginx.cpus", n.CPUs)
	c.want(n.Memory >= engineMinimum, "nginx.memory", n.Memory)
	c.oneOf("nginx.tls.mode", n.TLS.Mode, "off", "selfSigned", "given", "acme")
	n.TLS.ACME.check(c)
	c.want(n.MaxBody > 0, "nginx.maxBody", n.MaxBody)
	c.between("nginx.requestRate", n.RequestRate, 0, 100000)
	c.between("nginx.burst", n.Burst, 0, 100000)
	c.between("nginx.connections", n.Connections, 0, 65535)
	c.between("nginx.loginRate", n.LoginRate, 0, 100000)
	for _, at := range n.LoginPaths {
		c.matches("nginx.loginPaths", at, urlPath)
	}
	for _, at := range slices.Sorted(maps.Keys(n.Allow)) {
		c.matches("nginx.allow", at, urlPath)
		c.want(len(n.Allow[at]) > 0, "nginx.allow", at)
		for _, network := range n.Allow[at] {
			prefix, err := netip.ParsePrefix(network)
			c.want(err == nil && prefix == prefix.Masked(), "nginx.allow", network)
		}
	}
	c.wholeSeconds("nginx.hsts", n.HSTS, 0)
	c.wholeSeconds("nginx.staticMaxAge", n.StaticMaxAge, 0)
	c.wholeSeconds("nginx.proxyTimeout", n.ProxyTimeout, time.Second)
}

func (n Networks) check(c *checker, cfg Config) {
	edge, err := netip.ParsePrefix(n.EdgeSubnet)
	c.want(err == nil && usable(edge), "networks.edgeSubnet", n.EdgeSubnet)
	backend, err := netip.ParsePrefix(n.BackendSubnet)
	c.want(err == nil && usable(backend) && !(n.Isolated && edge.IsValid() && edge.Overlaps(backend)), "networks.backendSubnet", n.BackendSubnet)
	monitoring, err := netip.ParsePrefix(n.MonitoringSubnet)
	c.want(err == nil && usable(monitoring) && !(n.Isolated && (edge.IsValid() && edge.Overlaps(monitoring) || backend.IsValid() && backend.Overlaps(monitoring))),
		"networks.monitoringSubnet", n.MonitoringSubnet)
	others := []netip.Prefix{backend}
	if n.Isolated {
		others = append(others, edge, monitoring)
	}
	c.want(!n.Encrypted || cfg.Runtime == "swarm", "networks.encrypted", n.Encrypted)
	n.checkSitesSubnet(c, others...)
	six, err := netip.ParsePrefix(n.IPv6Subnet)
	c.want(err == nil && six.Addr().Is6() && !six.Addr().Is4In6() && six.Bits() >= 48 && six.Bits() <= 112 && six == six.Masked(), "networks.ipv6Subnet", n.IPv6Subnet)
}

func usable(p netip.Prefix) bool {
	return p.Addr().Is4() && p.Bits() >= 16 && p.Bits() <= 28 && p == p.Masked()
}

func (v Volumes) check(c *checker) {
	c.want(v.Driver != "", "volumes.driver", v.Driver)
	c.want(v.Mount == "" || v.Driver == "local" && folder.MatchString(v.Mount), "volumes.mount", v.Mount)
	c.want(!v.Encrypted || v.Driver == "local", "volumes.encrypted", strconv.FormatBool(v.Encrypted))
	c.want(len(v.DriverOptions) == 0 || v.Mount == "" && v.DriverOptions[""] == "", "volumes.driverOptions", strings.Join(slices.Sorted(maps.Keys(v.DriverOptions)), ", "))
	c.want(v.Data == "" || volumeName.MatchString(v.Data), "volumes.data", v.Data)
	c.want(v.Uploads == "" || volumeName.MatchString(v.Uploads), "volumes.uploads", v.Uploads)
	c.want(v.Static == "" || volumeName.MatchString(v.Static), "volumes.static", v.Static)
	c.want(v.Logs == "" || volumeName.MatchString(v.Logs), "volumes.logs", v.Logs)
}

// checkTogether finds values that are right one by one and wrong together.
func (cfg Config) checkTogether() []error {
	var faults []error
	conflict := func(key, value, rule string) {
		faults = append(faults, Fault{Namespace, key, strconv.Quote(value), rule})
	}
	if cfg.Backend.PublishPort == 0 && !cfg.Nginx.Enabled {
		conflict("backend.publishPort", "0", "a port, as nginx.enabled is false and nothing else would answer")
	}
	direct := cfg.Backend.PublishPort != 0 || cfg.Backend.DebuggerPort != 0
	if direct && cfg.Networks.Isolated {
		conflict("networks.isolated", "true", "false where backend.publishPort or backend.debuggerPort is set (an internal network publishes nothing)")
	}
	if direct && cfg.Runtime == "swarm" {
		conflict("backend.publishPort", strconv.Itoa(cfg.Backend.PublishPort), "0 (and backend.debuggerPort 0) with the swarm runtime, which can not bind to one address")
	}
	if direct && cfg.Backend.Replicas > 1 {
		conflict("backend.replicas", strconv.Itoa(cfg.Backend.Replicas), "1 where backend.publishPort or backend.debuggerPort is set: a host port has one owner")
	}
	if cfg.Runtime == "swarm" && cfg.Backend.MountCode {
		conflict("backend.mountCode", "true", "false with the swarm runtime, whose tasks may run on another machine")
	}
	taken := map[int]string{}
	for _, p := range cfg.Ports() {
		if other, ok := taken[p.Number]; ok {
			conflict(p.Key, strconv.Itoa(p.Number), "another port than "+other+"'s")
		}
		taken[p.Number] = p.Key
	}
	names := map[string]string{}
	for key, name := range cfg.named() {
		if other, ok := names[name]; ok && name != "" {
			conflict(max(key, other), name, "another name than "+min(key, other)+"'s")
		}
		names[name] = key
	}
	cfg.edgeTogether(conflict)
	cfg.monitoringTogether(conflict)
	unset := func(key string, names []string) {
		for _, name := range names {
			if cfg.Secrets[name] == "" {
				conflict(key, name, "names whose value is set by pulumi config set --secret "+Namespace+":"+name)
			}
		}
	}
	unset("build.secrets", cfg.Build.Secrets)
	unset("backend.secrets", cfg.Backend.Secrets)
	unset("backend.secretEnvironment", cfg.Backend.SecretEnvironment)
	for name, s := range cfg.Services {
		unset("services."+name+".secrets", s.Secrets)
		unset("services."+name+".secretEnvironment", s.SecretEnvironment)
	}
	return faults
}

// Port is a host port that the stack publishes.
type Port struct {
	Key        string // the configuration key that names it
	AddressKey string // the one that names the address
	Address    string // the host address; empty is all
	Number     int
}

// Ports lists the host ports that the stack publishes.
func (cfg Config) Ports() []Port {
	var ports []Port
	if cfg.Nginx.Enabled && !cfg.BehindEdge() {
		ports = append(ports, Port{"nginx.httpPort", "nginx.address", cfg.Nginx.Address, cfg.Nginx.HTTPPort})
		if cfg.Nginx.TLS.Mode != "off" {
			ports = append(ports, Port{"nginx.httpsPort", "nginx.address", cfg.Nginx.Address, cfg.Nginx.HTTPSPort})
		}
	}
	if cfg.Backend.PublishPort != 0 {
		ports = append(ports, Port{"backend.publishPort", "backend.publishAddress", cfg.Backend.PublishAddress, cfg.Backend.PublishPort})
	}
	if cfg.Backend.DebuggerPort != 0 {
		ports = append(ports, Port{"backend.debuggerPort", "backend.publishAddress", cfg.Backend.PublishAddress, cfg.Backend.DebuggerPort})
	}
	if m := cfg.Monitoring; m.Enabled && m.Grafana.Enabled && m.Grafana.Port != 0 {
		ports = append(ports, Port{"monitoring.grafana.port", "monitoring.grafana.address", m.Grafana.Address, m.Grafana.Port})
	}
	if m := cfg.Monitoring; m.Enabled && m.Prometheus.Port != 0 {
		ports = append(ports, Port{"monitoring.prometheus.port", "monitoring.prometheus.address", m.Prometheus.Address, m.Prometheus.Port})
	}
	return ports
}
