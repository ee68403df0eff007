package components

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

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
			return stack(t, "prod", func(c *config.Config) { c.Nginx.TLS.Mode = "off" })
		},
		"dev-without-tls-and-static": func(t *testing.T) config.Config { return stack(t, "dev behind nginx") },
	} {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join(repository, "assets/nginx/testdata", name+".conf")
			inProject(t)
			args := &NginxArgs{Config: cfg(t), Storage: &Storage{}}
			if args.Config.Volumes.Static != "" {
				args.Storage.Static = pulumi.String(args.Config.Volumes.Static)
			}
			got, err := assets.Render(args.render())
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is not what is rendered; if it should be: go test ./components -run %s -update\n%s", golden, t.Name(), got)
			}
		})
	}
}

func TestNginxGetsItsConfigurationAsAFile(t *testing.T) {
	want, err := os.ReadFile("../assets/nginx/testdata/prod.conf")
	if err != nil {
		t.Fatal(err)
	}
	inProject(t)
	asConfig := succeed(t, stack(t, "prod"), up).get(t, "ServiceConfig", "tarot-test-nginx-nginx.conf")
	if got, _ := base64.StdEncoding.DecodeString(asConfig.at("data").(string)); string(got) != string(want) {
		t.Errorf("the config holds\n%s", got)
	}
	asUpload := succeed(t, stack(t, "prod as containers"), up).get(t, "Container", "tarot-test-nginx-files").list("uploads")[0]
	if at(asUpload, "content") != string(want) || at(asUpload, "file") != "/run/config/nginx.conf" {
		t.Errorf("the upload holds\n%v", asUpload)
	}
}

// served is the certificate and the key that nginx would serve.
func served(t *testing.T, cfg config.Config, docker *fakeEngine) certificate.Pair {
	t.Helper()
	r := deploy(cfg, &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	part := func(name string) string {
		text, err := base64.StdEncoding.DecodeString(r.get(t, "Secret", "tarot-test-nginx-"+name).In["data"].(sealed).value.(string))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return certificate.Pair{Certificate: part("tls_certificate"), Key: part("tls_key")}
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
	cfg := stack(t, "prod", func(c *config.Config) { c.Nginx.TLS = config.TLS{Mode: "given", Certificate: "a.crt", Key: "a.key"} })
	if got := served(t, cfg, &fakeEngine{}); got != given {
		t.Errorf("got %v", got.Certificate)
	}
	if seeds := succeed(t, cfg, up).find("RandomBytes"); len(seeds) > 0 {
		t.Errorf("%s is not needed", seeds[0].Name)
	}
}

func TestPortSuffix(t *testing.T) {
	for _, test := range []struct {
		port, usual int
		want        string
	}{{80, 80, ""}, {443, 443, ""}, {443, 80, ":443"}, {8443, 443, ":8443"}} {
		if got := portSuffix(test.port, test.usual); got != test.want {
			t.Errorf("%d for %d: %q", test.port, test.usual, got)
		}
	}
}
