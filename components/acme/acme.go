// Package acme is what gets the site's certificate from a CA, and renews it by itself (cmd/acme).
// nginx sends it what CAs ask, and takes the certificate from the volume that it writes.
package acme

import (
	_ "embed" // the rules
	"encoding/json"
	"fmt"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/nginx"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

const (
	name = nginx.ACME
	// user is nobody else's. nginx's group reads the certificate.
	user = "10003:101"
	// folder is where the volume is.
	folder = "/var/lib/acme"
	// owner is the job that gives a new volume away.
	owner = "own-certificates"
	// metricsPort is for Prometheus, and metrics what is kept.
	metricsPort = 9747
	metrics     = "acme_.+"
	// The names of files.
	settingsFile, rootsFile = "acme.json", "roots.pem"
)

//go:embed rules.yml.tmpl
var rules string

// Part describes itself. It follows the release: the site answers with a certificate of its own until
// a CA has given one, and no CA holds a release up.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return name }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if !c.ACME() {
		return part.Spec{}, nil
	}
	service, secrets, err := service(c)
	if err != nil {
		return part.Spec{}, err
	}
	build := c.ACMEImage.Build
	s := part.Spec{
		Component: name,
		Follows:   true,
		Images:    []part.Image{{Name: name, Reference: c.ACMEImage.Reference, Build: &build, Component: name}},
		Services:  []part.Service{service},
		Jobs:      []part.Job{own(c)},
		Secrets:   secrets,
		Warnings:  warnings(c),
	}
	if c.Monitoring.Enabled {
		s.Scrapes = []prometheus.Job{prometheus.Static(name, fmt.Sprintf("%s:%d", name, metricsPort), metrics)}
		group, err := prometheus.PartsGroup(name, rules, c.Monitoring.Alerts.TimeScale, c.Monitoring.Alerts.Runbooks, nil)
		if err != nil {
			return part.Spec{}, err
		}
		s.Alerts = []prometheus.Group{group}
	}
	return s, nil
}

// warnings are of what a CA will most likely not give a certificate for.
func warnings(c part.Context) []string {
	var all []string
	if c.Nginx.TLS.ACME.Challenge == config.ByHTTP && c.Nginx.HTTPPort != 80 {
		all = append(all, fmt.Sprintf("%s:nginx.httpPort is %d, and CAs ask at port 80 of each name: it has to lead there", config.Namespace, c.Nginx.HTTPPort))
	}
	return all
}

// ca is as cmd/acme reads it, and so is settings.
type ca struct {
	Name      string `json:"name"`
	Directory string `json:"directory"`
	EAB       bool   `json:"eab,omitempty"`
}

type settings struct {
	Domains   []string `json:"domains"`
	Email     string   `json:"email"`
	CAs       []ca     `json:"cas"`
	Challenge string   `json:"challenge"`
	DNS       string   `json:"dns,omitempty"`
	Roots     string   `json:"roots,omitempty"`
	Folder    string   `json:"folder"`
}

func service(c part.Context) (part.Service, []part.Secret, error) {
	a := c.Nginx.TLS.ACME
	told := settings{Domains: c.ACMENames(), Email: a.Email, Challenge: a.Challenge, DNS: a.DNS, Folder: folder}
	for _, of := range a.CA {
		told.CAs = append(told.CAs, ca{Name: of, Directory: a.Directory(of), EAB: of == a.EAB})
	}
	s := part.Service{
		Program: workload.Program{
			Name:    name,
			Command: []string{"/acme", "serve", workload.ConfigDir + "/" + settingsFile},
			// The image has no shell.
			Health:    workload.Health{Test: []string{"CMD", "/acme", "health"}, Direct: true, Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 15 * time.Second, Retries: 3},
			Limits:    workload.Limits{CPUs: 0.25, Memory: 64 << 20},
			Replicas:  1,
			Exclusive: true, // what it writes has one writer
			Logging:   c.Log(name),
			User:      user,
			StopGrace: 10 * time.Second,
		},
		Image:    name,
		Mounts:   []part.Mount{{Kind: workload.Tmpfs, Target: "/tmp"}, {Kind: workload.Volume, Source: nginx.CertificatesVolume, Target: folder}},
		Networks: []string{part.Edge}, // with a way to the CA, and where nginx finds it
	}
	if c.Monitoring.Enabled {
		s.Networks, s.Job = append(s.Networks, part.Watch), name
	}
	roots, err := c.ACMERoots()
	if err != nil {
		return s, nil, err
	}
	if roots != "" {
		told.Roots = workload.ConfigDir + "/" + rootsFile
		s.Files = append(s.Files, part.File{Name: rootsFile, Text: part.Plain(roots)})
	}
	text, err := json.MarshalIndent(told, "", "  ")
	if err != nil {
		return s, nil, err
	}
	s.Files = append(s.Files, part.File{Name: settingsFile, Text: part.Plain(string(text) + "\n")})
	secrets := []part.Secret{{Name: "acmeAccount", Stays: "the key of the account with the CA is in the volume " + c.Stack + "-" + nginx.CertificatesVolume +
		" alone, and a certificate's is a new one at each renewal. Another account: docs/tls.md"}}
	for _, secret := range a.Secrets() {
		secrets = append(secrets, part.Secret{Name: secret, Given: c.Secrets[secret]})
		s.Secrets = append(s.Secrets, part.SecretFile{Name: secret, Secret: secret})
	}
	return s, secrets, nil
}

// own gives the volume away: a new one is root's.
func own(c part.Context) part.Job {
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    owner,
				Command: []string{"/acme", "own", folder, user},
				Limits:  workload.Limits{Memory: 32 << 20},
				Logging: c.Log(owner),
				User:    "0:0",
				// Of a new volume; one that has its owner stays as it is.
				Capabilities: []string{"CHOWN"},
			},
			Image:  name,
			Mounts: []part.Mount{{Kind: workload.Volume, Source: nginx.CertificatesVolume, Target: folder}},
		},
		Within: time.Minute,
	}
}
