// Package nginx is the reverse proxy: the only part that publishes ports in prod. nginx.go
// and configuration.go describe it; edge.go and upstreams.go are what a deploy asks of the
// one that runs. Nothing else knows nginx.
package nginx

import (
	"fmt"
	"strings"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/site"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
)

const (
	// name is the workload's.
	name = "nginx"
	// user is the uid and gid of the user nginx in the official image.
	user = "101:101"
	// An unprivileged process has no ports below 1024.
	httpPort, httpsPort, metricsPort = 8080, edge.HTTPSPort, 8082
	staticFolder                     = "/srv/static"
	folder                           = edge.Folder // of its configuration
	// stopGrace is short: while it finishes what it has begun, nobody listens
	// on its ports, and the next one can not.
	stopGrace = 10 * time.Second
	// keptBody is the largest request body that is kept until it is complete. All of
	// them get a quarter of nginx's memory.
	keptBody = 1 << 20
	// waiting is what a connection takes whose request is not complete, in bytes, and fewest and
	// most are how many a worker may have: more would need more open files.
	waiting      = 9000
	fewest, most = 4096, 14000
	installTime  = 30 * time.Second
)

// TokenSecret is the name of the secret that Edge.Token is the value of.
const TokenSecret = "edgeToken"

// What gets the certificate is called so, and listens there for what CAs ask (cmd/acme).
const (
	ACME       = "acme"
	SolverPort = 8402
)

// CertificatesVolume is the one with the certificate that ACME has got, which nginx finds in
// certificates. Through served it finds whatever certificate there is.
const (
	CertificatesVolume = "certificates"
	certificates       = edge.CertificateFolder
	served             = "/tmp/tls"
	applied            = "/tmp/applied" // the configuration that it is to run
)

// The job, and the volume, of the configuration; and the file with what that is called.
const (
	configuration = name + "-configuration"
	nameFile      = "name"
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part. nginx's configuration and its certificate are in a volume,
// where a job tests and then puts them; nginx reads them when it starts, and when it is told
// to reload, so that a change in them restarts nothing.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if !c.Nginx.Enabled {
		return part.Spec{Component: name, Volumes: volumes(c)}, nil
	}
	secrets, files, err := secrets(c)
	if err != nil {
		return part.Spec{}, err
	}
	s := part.Spec{
		Component: name,
		Needs:     append([]string{config.BackendName}, c.Offered.Routed...),
		Services:  []part.Service{service(c)},
		Jobs:      []part.Job{install(c, files)},
		Volumes:   volumes(c),
		Secrets:   secrets,
		Images:    []part.Image{{Name: name, Reference: c.Nginx.Image, SetUp: c.Nginx.Image, Key: "nginx.image"}},
	}
	if s.Warnings, err = uncovered(c); err != nil {
		return part.Spec{}, err
	}
	if c.Nginx.ProxyProtocol {
		s.Outputs = map[string]part.Output{"proxyProtocol": {Text: "true"}}
	}
	if c.Monitoring.Enabled {
		s.Scrapes = []prometheus.Job{prometheus.Static(name, fmt.Sprintf("%s:%d", name, metricsPort), "")}
	}
	return s, nil
}

// volumes are that of the configuration, which each `up` makes anew, and that of the certificate and
// of the accounts with CAs: who asks for those too often gets none.
func volumes(c part.Context) []part.Volume {
	kept := part.Volume{Name: CertificatesVolume, Resource: name + "-" + CertificatesVolume, Engine: c.Stack + "-" + CertificatesVolume, Data: true}
	if !c.ACME() {
		kept.Unused = "nginx.tls.mode is not acme"
	}
	if !c.Nginx.Enabled {
		return []part.Volume{kept}
	}
	return []part.Volume{{Name: configuration, Resource: configuration, Engine: c.Stack + "-" + configuration}, kept}
}

// untilItEnds is the rest of a script that has started nginx, and bounds how long one that is to stop
// finishes what it has begun: nobody listens meanwhile, and one WebSocket would have it wait for
// all of its time to stop. (worker_shutdown_timeout would do the same, but at reloads, too.)
const untilItEnds = `trap 'kill -QUIT "$nginx"; sleep 1; kill -TERM "$nginx"' TERM QUIT
while kill -0 "$nginx" 2>/dev/null; do
  wait "$nginx"
  status=$?
done
exit "$status"
`

// startScript is nginx, and a reload where its container gets a HUP.
const startScript = `nginx -c ` + folder + `/current/nginx.conf -g 'daemon off;' &
nginx=$!
trap 'kill -HUP "$nginx"' HUP
` + untilItEnds

// watchingScript is startScript where a certificate may come at any time, which nginx then takes
// with a reload. It goes on with the configuration that a deploy has told it to take, whatever
// the next one has put beside it by then. Until there is a certificate, and where that can't
// be read, nginx has the one that is beside its configuration.
const watchingScript = `point() { ln -sfn "$1" "$2.new" && mv -T "$2.new" "$2"; }
configure() { point "` + folder + `/$(readlink ` + folder + `/current)" ` + applied + `; }
certify() {
  newest=$(readlink -f ` + certificates + `/current) || :
  [ -r "$newest/tls_certificate" ] && [ -r "$newest/tls_key" ] || newest=` + applied + `
  [ "$(readlink ` + served + `)" = "$newest" ] || point "$newest" ` + served + `
}
configure
certify
nginx -c ` + applied + `/nginx.conf -g 'daemon off;' &
nginx=$!
watch() {
  while sleep 2; do
    before=$(readlink ` + served + `)
    certify
    if [ "$(readlink ` + served + `)" != "$before" ]; then
      [ -e ` + applied + `/nginx.conf ] || configure
      kill -HUP "$nginx"
    fi
  done
}
watch &
trap 'configure; certify; kill -HUP "$nginx"' HUP
` + untilItEnds

func service(c part.Context) part.Service {
	cfg := c.Nginx
	s := part.Service{
		Program: workload.Program{
			Name:    name,
			Command: []string{"/bin/sh", "-c", startScript},
			Ports:   []workload.Port{{Address: cfg.Address, Host: cfg.HTTPPort, Container: httpPort, IPv6: cfg.IPv6, Key: "nginx.httpPort", AddressKey: "nginx.address"}},
			Health: workload.Health{
				Test:     []string{"CMD", "curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8081/healthz"},
				Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 15 * time.Second, Retries: 3,
				// As in stacks that run: a changed check restarts nginx, which loses requests.
				Held: 2 * time.Minute,
			},
			Limits:     workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory), Key: "nginx"},
			Replicas:   1,
			Logging:    c.Log(name),
			User:       user,
			StopSignal: "SIGQUIT",
			StopGrace:  stopGrace,
		},
		Image: name,
		Mounts: []part.Mount{
			{Kind: workload.Tmpfs, Target: "/tmp"},
			{Kind: workload.Volume, Source: configuration, Target: folder, ReadOnly: true},
		},
		Networks: []string{part.Edge, part.Inner},
		Job:      name,
	}
	if c.ACME() {
		s.Command = []string{"/bin/sh", "-c", watchingScript}
		s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Volume, Source: CertificatesVolume, Target: certificates, ReadOnly: true})
	}
	if c.Volumes.Static != "" {
		s.Mounts = append(s.Mounts, part.Mount{Kind: workload.Volume, Source: "static", Target: staticFolder, ReadOnly: true})
	}
	if c.IsEdge() || c.BehindEdge() {
		s.Networks = append(s.Networks, part.Sites)
	}
	if c.BehindEdge() { // which has the ports; two at once would have two releases' configurations
		s.Ports, s.Recreate = nil, true
		return s
	}
	if cfg.TLS.Mode != "off" {
		s.Ports = append(s.Ports, workload.Port{Address: cfg.Address, Host: cfg.HTTPSPort, Container: httpsPort, IPv6: cfg.IPv6, Key: "nginx.httpsPort", AddressKey: "nginx.address"})
	}
	return s
}

// installScript tests what was uploaded and then has it take the place of what
// is there, at once: nginx may be started at any moment.
func installScript(c part.Context) string {
	found := ""
	if c.ACME() { // its place, where nginx itself finds one or another
		found = "ln -sfn \"$folder/new\" " + served + "\n"
	}
	return `set -eu
name=$(cat /run/config/name)
folder=` + folder + `
rm -rf "$folder/new"
mkdir "$folder/new"
cp /run/config/* /run/secrets/* "$folder/new/"
` + found + `tested() { nginx -t -q -g 'user root;' -c "$folder/new/nginx.conf"; }
# The best that the image's OpenSSL knows. What else is wrong is said by the last test.
` + groupsScript() + `
tested
rm -rf "$folder/$name"
mv "$folder/new" "$folder/$name"
before=$(readlink "$folder/current" || :)
ln -sfn "$name" "$folder/current.new"
mv -T "$folder/current.new" "$folder/current"
for old in "$folder"/*; do
  case ${old##*/} in current | "$name" | "$before") ;; *) rm -rf "$old" ;; esac
done
rm -f /run/secrets/*
`
}

// groupsScript writes the first of the contents of a file with which nginx takes the
// configuration, or the last one.
func groupsScript() string {
	var script strings.Builder
	for _, groups := range assets.Groups() {
		fmt.Fprintf(&script, "echo '%s' >\"$folder/new/%s\" && tested 2>/dev/null ||\n", groups, assets.GroupsFile)
	}
	return script.String() + "  :"
}

func install(c part.Context, secrets []part.SecretFile) part.Job {
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    configuration,
				Command: []string{"/bin/sh", "-c", installScript(c)},
				Limits:  workload.Limits{Memory: int64(c.Nginx.Memory)},
				Logging: c.Log(configuration),
				// The volume belongs to root, and nginx itself may not write there.
				User: "0:0",
			},
			Image:   name,
			Files:   files(c, secrets),
			Secrets: secrets,
			Mounts:  []part.Mount{{Kind: workload.Volume, Source: configuration, Target: folder}},
		},
		Within: installTime,
	}
}

// Probe is where nginx is asked for the site's health by what is on its networks.
func Probe(c part.Context) string {
	plain, secure := httpPort, httpsPort
	if c.Nginx.ProxyProtocol {
		plain, secure = assets.InsidePort, assets.InsideTLSPort
	}
	if c.Nginx.TLS.Mode == "off" {
		return site.URL("http", name, plain) + c.Backend.HealthPath()
	}
	return site.URL("https", name, secure) + c.Backend.HealthPath()
}

// files are what everybody may read.
func files(c part.Context, secrets []part.SecretFile) []part.File {
	text := func(pick func(named) string) part.Text { return configurationText(c, secrets, pick) }
	all := []part.File{
		{Name: "nginx.conf", Text: text(func(n named) string { return n.text })},
		{Name: nameFile, Text: text(func(n named) string { return n.name })},
		{Name: assets.TypesFile, Text: part.Plain(assets.Types())},
	}
	if c.Monitoring.Enabled {
		all = append(all, part.File{Name: assets.MetricsFile, Text: part.Plain(assets.Metrics())})
	}
	return all
}

// Configuration is what the configuration is called that nginx has to run; a deploy applies
// it.
func Configuration(parts []part.Described) part.Text {
	for _, d := range parts {
		for _, j := range d.Jobs {
			for _, f := range j.Files {
				if j.Name == configuration && f.Name == nameFile {
					return f.Text
				}
			}
		}
	}
	return part.Plain("")
}
