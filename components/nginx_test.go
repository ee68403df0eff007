package components

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/nginx"
	"tarot-platform/components/part"
	"tarot-platform/components/site"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

// Whatever is in a golden file is also given to the real `nginx -t` by the
// end-to-end tests.
func TestNginxConfiguration(t *testing.T) {
	for name, cfg := range map[string]func(t *testing.T) config.Config{
		"prod": func(t *testing.T) config.Config { return stack(t, "prod") },
		"prod-other-port-limited": func(t *testing.T) config.Config {
			return stack(t, "prod", func(c *config.Config) {
				c.Nginx.HTTPSPort, c.Nginx.RequestRate, c.Nginx.Burst, c.Nginx.CPUs, c.Nginx.MaxBody = 8443, 50, 100, 3.5, 2<<30
			})
		},
		"prod-without-tls": func(t *testing.T) config.Config {
			return stack(t, "prod", func(c *config.Config) {
				c.Nginx.TLS.Mode, c.Nginx.TrustedProxies = "off", []string{"10.20.0.0/16", "2001:db8::/32"}
			})
		},
		"prod-proxied": func(t *testing.T) config.Config {
			return stack(t, "prod", func(c *config.Config) {
				c.Nginx.TrustedProxies, c.Nginx.ProxyProtocol, c.Nginx.ServerNames = []string{"10.20.0.0/16"}, true, []string{"tarot.example"}
			})
		},
		"prod-ipv6": func(t *testing.T) config.Config {
			return stack(t, "prod", func(c *config.Config) { c.Nginx.IPv6, c.Nginx.ServerNames = true, []string{"tarot.example"} })
		},
		"prod-maintenance": func(t *testing.T) config.Config {
			return stack(t, "prod", func(c *config.Config) { c.Maintenance = true })
		},
		"prod-watched": func(t *testing.T) config.Config {
			return stack(t, "prod", watched, func(c *config.Config) { c.Maintenance = true })
		},
		"prod-routes": func(t *testing.T) config.Config { return stack(t, "prod as containers", watched, withServices) },
		"prod-routes-without-tls": func(t *testing.T) config.Config {
			return stack(t, "prod", withServices, func(c *config.Config) { c.Nginx.TLS.Mode, c.Nginx.RequestRate = "off", 0 })
		},
		"prod-edge": func(t *testing.T) config.Config {
			return stack(t, "prod", watched, asEdge, func(c *config.Config) { c.Nginx.ServerNames, c.Nginx.HTTPSPort = []string{"Tarot.example"}, 8443 })
		},
		"prod-acme": func(t *testing.T) config.Config {
			return stack(t, "prod", asEdge, certified, func(c *config.Config) { c.Maintenance, c.Nginx.TLS.ACME.Domains = true, []string{"tarot.example"} })
		},
		"prod-edge-without-tls": func(t *testing.T) config.Config {
			return stack(t, "prod", asEdge, func(c *config.Config) { c.Nginx.TLS.Mode, c.Nginx.RequestRate = "off", 0 })
		},
		"containers-behind-edge": func(t *testing.T) config.Config {
			return stack(t, "prod as containers", watched, withServices, behindEdge)
		},
		"dev-without-tls-and-static": func(t *testing.T) config.Config { return stack(t, "dev behind nginx") },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(repository, "assets/nginx/testdata", name+".conf")
			inProject(t)
			c := nginx.Render(contextOf(t, cfg(t)))
			c.Name = "c0ffee"
			c = c.With(func(service string) ([]string, []string) {
				if service != "backend" {
					return []string{service + "-one"}, []string{"", "10.0.1.1"}
				}
				return []string{"one", "two"}, []string{"10.0.0.1", "10.0.0.2"}
			})
			got, err := assets.Render(c)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, file, got)
		})
	}
}

// uploaded are the files beside nginx.conf, by name.
func uploaded(t *testing.T, r *run) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, upload := range r.get(t, "Container", "tarot-test-nginx-configuration").list("uploads") {
		content := at(upload, "content")
		if s, ok := content.(sealed); ok {
			content = s.value
		}
		files[filepath.Base(at(upload, "file").(string))], _ = content.(string)
	}
	return files
}

func TestNginxTurnsToTheHostsThatRun(t *testing.T) {
	for name, hosts := range map[string][]string{
		"prod": {"backend"}, "prod as containers": {"tarot-test-backend-1-1a2b3c4", "tarot-test-backend-2-1a2b3c4", "tarot-test-backend-3-1a2b3c4"},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name), up)
			files := uploaded(t, r)
			for _, host := range hosts {
				if !strings.Contains(files["nginx.conf"], "server "+host+":8000 resolve") {
					t.Errorf("no server %s", host)
				}
			}
			if files[assets.TypesFile] != assets.Types() {
				t.Errorf("mime.types: %.100q", files[assets.TypesFile])
			}
			if !strings.Contains(files["nginx.conf"], `return 200 "`+files["name"]+" "+hosts[0]) || len(files["name"]) != 12 {
				t.Errorf("it is called %q", files["name"])
			}
			if want := assets.Candidate(generated("edge-token")); files["candidate.map"] != want {
				t.Errorf("candidate.map %q", files["candidate.map"])
			}
		})
	}
}

func TestAnotherConfigurationHasAnotherName(t *testing.T) {
	inProject(t)
	names := map[string]string{}
	for what, change := range map[string]func(*config.Config){
		"none": func(*config.Config) {}, "body": func(c *config.Config) { c.Nginx.MaxBody++ },
		"replicas": func(c *config.Config) { c.Backend.Replicas++ }, "certificate": func(c *config.Config) { c.Nginx.ServerNames = []string{"localhost"} },
	} {
		name := uploaded(t, succeed(t, stack(t, "prod as containers", change), up))["name"]
		if other, ok := names[name]; ok {
			t.Errorf("%s has the name of %s", what, other)
		}
		names[name] = what
	}
	if again := uploaded(t, succeed(t, stack(t, "prod as containers"), up))["name"]; names[again] != "none" {
		t.Errorf("the same is called %s now", again)
	}
}

// served is the certificate and the key that nginx would serve.
func served(t *testing.T, cfg config.Config, docker *fakeEngine) certificate.Pair {
	t.Helper()
	r := deploy(cfg, &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	files := uploaded(t, r)
	return certificate.Pair{Certificate: files["tls_certificate"], Key: files["tls_key"]}
}

func TestSelfSignedCertificateIsForTheNamesThatTheSiteIsReachedBy(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod", func(c *config.Config) { c.Nginx.ServerNames = []string{"localhost", "tarot.example"} })
	for _, test := range []struct {
		docker    *fakeEngine
		yes, noes []string
	}{
		{&fakeEngine{}, []string{"tarot.example", "localhost", "127.0.0.1"}, []string{"docker.example"}},
		{&fakeEngine{remote: true}, []string{"tarot.example", "docker.example"}, []string{"127.0.0.1"}},
	} {
		pair := served(t, cfg, test.docker)
		if err := pair.Check(time.Now()); err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode([]byte(pair.Certificate))
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range test.yes {
			if err := leaf.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		for _, name := range test.noes {
			if leaf.VerifyHostname(name) == nil {
				t.Errorf("it is for %s too", name)
			}
		}
		if served(t, cfg, test.docker) != pair {
			t.Error("another `up` makes another certificate")
		}
	}
}

func TestGivenCertificateIsServed(t *testing.T) {
	inProject(t)
	given, err := certificate.SelfSigned([]byte("given"), []string{"tarot.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"a.crt": given.Certificate, "a.key": given.Key} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := stack(t, "prod", func(c *config.Config) {
		c.Nginx.TLS.Mode, c.Nginx.TLS.Certificate, c.Nginx.TLS.Key = "given", "a.crt", "a.key"
	})
	if got := served(t, cfg, &fakeEngine{}); got != given {
		t.Errorf("got %v", got.Certificate)
	}
	if seeds := succeed(t, cfg, up).find("RandomBytes"); len(seeds) > 0 {
		t.Errorf("%s is not needed", seeds[0].Name)
	}
}

// A body that is kept is on /tmp, which is memory: of this much, a quarter is theirs.
func TestKeptBodiesFitNginxMemory(t *testing.T) {
	inProject(t)
	for _, memory := range []config.Bytes{6 << 20, 128 << 20, 2 << 30} {
		cfg := stack(t, "prod", func(c *config.Config) { c.Nginx.Memory, c.Nginx.MaxBody = memory, 1<<30 })
		if kept := nginx.Render(part.Context{Config: cfg}).KeptBodies; kept < 1 || config.Bytes(kept)<<20 > memory/4 && kept > 1 {
			t.Errorf("%d of 1 MB with %s", kept, memory)
		}
	}
}

func TestPortSuffix(t *testing.T) {
	for _, test := range []struct {
		port   int
		scheme string
		want   string
	}{{80, "http", ""}, {443, "https", ""}, {443, "http", ":443"}, {8443, "https", ":8443"}} {
		if got := site.URL(test.scheme, "host", test.port); got != test.scheme+"://host"+test.want {
			t.Errorf("%d for %s: %q", test.port, test.scheme, got)
		}
	}
}

// A browser offers no way past a certificate that it doesn't trust once it was told.
func TestOnlyACertificateThatIsTrustedIsInsistedOn(t *testing.T) {
	inProject(t)
	own, err := certificate.SelfSigned([]byte("given"), []string{"tarot.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		mode, certificate string
		given             time.Duration
		want              int
	}{
		"an authority's": {"given", authoritys(t), 17520 * time.Hour, 63072000}, "switched off": {"given", authoritys(t), 0, 0}, "given, and its own": {"given", own.Certificate, time.Hour, 0},
		"a CA's, by ACME": {"acme", "", time.Hour, 3600}, "self-signed": {"selfSigned", "", time.Hour, 0}, "none": {"off", "", time.Hour, 0},
	} {
		c := contextOf(t, stack(t, "prod"))
		c.Nginx.TLS.Mode, c.Nginx.HSTS = test.mode, test.given
		c.Secrets = map[string]string{"tlsCertificate": test.certificate, "tlsKey": "unused"}
		if got := nginx.Render(c).HSTS; got != test.want {
			t.Errorf("%s: %d s, want %d", what, got, test.want)
		}
	}
}

// authoritys is a certificate that somebody else vouches for.
func authoritys(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "tarot.example"}}, authority, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestNamesThatAreNobodysAreRefusedOnceThereAreNames(t *testing.T) {
	inProject(t)
	known := func(change ...func(*config.Config)) []string {
		return nginx.Render(contextOf(t, stack(t, "prod as containers", change...))).Known
	}
	named := func(c *config.Config) { c.Nginx.ServerNames = []string{"Tarot.example"} }
	if got := known(); len(got) > 0 {
		t.Errorf("without a name: %v", got)
	}
	if got := strings.Join(known(named, func(c *config.Config) { c.Nginx.Address = "10.9.8.7" }), " "); got != "10.9.8.7 localhost tarot.example" {
		t.Errorf("%s", got)
	}
}

// A worker has as many connections as its memory bears, and no fewer than it had.
func TestConnectionsOfAWorker(t *testing.T) {
	inProject(t)
	for memory, want := range map[config.Bytes]int{16 << 20: 4096, 64 << 20: 7456, 128 << 20: 14000, 1 << 30: 14000} {
		c := contextOf(t, stack(t, "prod"))
		if c.Nginx.Memory = memory; nginx.Render(c).WorkerConnections != want {
			t.Errorf("of %s: %d, want %d", memory, nginx.Render(c).WorkerConnections, want)
		}
	}
}
