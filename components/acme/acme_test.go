package acme

import (
	"strings"
	"testing"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

func having(t *testing.T, change func(*config.Config)) part.Spec {
	t.Helper()
	cfg := config.Defaults()
	cfg.Monitoring.Enabled, cfg.Nginx.TLS.Mode, cfg.Nginx.ServerNames = true, "acme", []string{"Shop.example"}
	cfg.Secrets = map[string]string{config.ACMEKeyIDSecret: "id", config.ACMEHmacSecret: "hmac", "acmeDnsToken": "token", "acmeDnsKeyId": "id", "acmeDnsKey": "key"}
	change(&cfg)
	s, err := Part{}.Spec(part.Context{Config: cfg, Stack: "tarot-test", ACMEImage: part.Built{Reference: "tarot-acme:0123"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The golden file is given to the real promtool, and tried by it, in the end-to-end tests.
func TestRules(t *testing.T) {
	golden.Check(t, "testdata/acme.rules.yml", "groups:\n"+having(t, func(*config.Config) {}).Alerts[0].YAML)
}

// It writes alone, reaches nothing but the edge's network, and holds no release up.
func TestItIsOnItsOwn(t *testing.T) {
	s := having(t, func(c *config.Config) { c.Monitoring.Enabled = false })
	x := s.Services[0]
	if !s.Follows || !x.Exclusive || x.Replicas != 1 || len(x.Ports) > 0 || strings.Join(x.Networks, " ") != part.Edge || len(s.Alerts)+len(s.Scrapes) > 0 {
		t.Errorf("%+v", s)
	}
	if x.Health.Test[1] != "/acme" || !x.Health.Direct {
		t.Errorf("its image has no shell: %+v", x.Health)
	}
}

// What it is told, and its secrets: of what is asked for, and no others.
func TestWhatItIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		change        func(*config.Config)
		said, secrets string
		warnings      int
	}{
		"little": {func(*config.Config) {}, `"domains": [ "shop.example" ], "email": "", "cas": [ { "name": "letsencrypt", "directory": "https://acme-v02.api.letsencrypt.org/directory" } ], "challenge": "http-01", "folder": "/var/lib/acme" }`, "", 0},
		"bound": {func(c *config.Config) {
			c.Nginx.TLS.ACME.CA, c.Nginx.TLS.ACME.EAB, c.Nginx.HTTPPort = []string{"letsencrypt", "litessl"}, "litessl", 8080
		}, `{ "name": "litessl", "directory": "https://acme.litessl.com/acme/v2/directory", "eab": true } ]`, "acmeEabHmac acmeEabKeyId", 1},
		"by DNS": {func(c *config.Config) {
			c.Nginx.TLS.ACME.Challenge, c.Nginx.TLS.ACME.DNS, c.Nginx.HTTPPort = "dns-01", "cloudflare", 8080
		}, `"challenge": "dns-01", "dns": "cloudflare"`, "acmeDnsToken", 0},
		"by a DNS in China": {func(c *config.Config) {
			c.Nginx.TLS.ACME.Challenge, c.Nginx.TLS.ACME.DNS = "dns-01", "alidns"
		}, `"challenge": "dns-01", "dns": "alidns"`, "acmeDnsKey acmeDnsKeyId", 0},
	} {
		s := having(t, test.change)
		text, known := s.Services[0].Files[0].Text.Known()
		if !known {
			t.Fatal("it is not known what it is told")
		}
		if said := strings.Join(strings.Fields(text), " "); !strings.Contains(said, test.said) {
			t.Errorf("%s: it is told\n%s", name, said)
		}
		var secrets []string
		for _, file := range s.Services[0].Secrets {
			secrets = append(secrets, file.Name)
		}
		if got := strings.Join(secrets, " "); got != test.secrets || len(s.Secrets) != len(secrets)+1 || // and the account
			len(s.Warnings) != test.warnings {
			t.Errorf("%s: secrets %s, warnings %v", name, got, s.Warnings)
		}
		if path := workload.ConfigDir + "/" + s.Services[0].Files[0].Name; s.Services[0].Command[2] != path {
			t.Errorf("%s: it reads %s", name, s.Services[0].Command[2])
		}
	}
}
