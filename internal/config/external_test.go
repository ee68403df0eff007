package config

import (
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/certificate"
)

const elsewhere = "postgresql://shop:w%40rd-of-the-account@db.example:6543/orders"

func TestWhatIsWrongWithAnExternalDatabase(t *testing.T) {
	inProject(t)
	pair, err := certificate.SelfSigned([]byte("seed"), []string{"db.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, "./ca.pem", pair.Certificate)
	write(t, "./key.pem", pair.Key)
	write(t, "./none.pem", "nothing")
	external := func(more, address string, others ...string) map[string]string {
		all := []string{"database", `{"kind":"external","external":{` + more + `}}`, "networks", `{"backendEgress":true}`}
		if address != "" {
			all = append(all, "databaseUrl", address)
		}
		return raw(append(all, others...)...)
	}
	for name, test := range map[string]struct {
		raw  map[string]string
		want string // of the lines about it; empty: it is right
	}{
		"an address":               {external("", elsewhere), ""},
		"a CA":                     {external(`"ca":"./ca.pem"`, elsewhere), ""},
		"the same mode":            {external("", elsewhere+"?sslmode=verify-full"), ""},
		"weaker, and said":         {external(`"tls":"require"`, elsewhere+"?sslmode=require"), ""},
		"weaker":                   {external("", elsewhere+"?sslmode=require"), "tarot:databaseUrl: a secret with sslmode=require is not allowed; allowed: none, or sslmode=verify-full"},
		"another mode":             {external(`"tls":"prefer"`, elsewhere), `tarot:database.external.tls: "prefer" is not allowed; allowed: verify-full, verify-ca, require or disable`},
		"no address":               {external("", ""), "tarot:databaseUrl: no secret is not allowed"},
		"no password":              {external("", "postgresql://shop@db.example/orders"), "tarot:databaseUrl: a secret of another form is not allowed; allowed: the address where database.kind is external (it has no password"},
		"another database":         {external("", "mysql://shop:word@db.example/orders"), "tarot:databaseUrl: a secret of another form is not allowed; allowed: the address where database.kind is external (it does not begin with postgresql://)"},
		"a library's words":        {external("", strings.Replace(elsewhere, "postgresql", "postgresql+psycopg", 1)), ""},
		"a socket":                 {external("", elsewhere+"?host=/tmp"), "tarot:databaseUrl: a secret with host is not allowed"},
		"a CA in the address":      {external("", elsewhere+"?sslrootcert=/x"), "tarot:databaseUrl: a secret with sslrootcert is not allowed"},
		"no file":                  {external(`"ca":"./gone.pem"`, elsewhere), `tarot:database.external.ca: "./gone.pem" is not allowed`},
		"no certificate":           {external(`"ca":"./none.pem"`, elsewhere), `tarot:database.external.ca: "./none.pem" is not allowed; allowed: empty, or a file with certificates in PEM form (there is no certificate in it)`},
		"a key":                    {external(`"ca":"./key.pem"`, elsewhere), `tarot:database.external.ca: "./key.pem" is not allowed`},
		"a CA that is not used":    {external(`"ca":"./ca.pem","tls":"require"`, elsewhere), `tarot:database.external.ca: "./ca.pem" is not allowed`},
		"any name of a well-known": {external(`"tls":"verify-ca"`, elsewhere), `tarot:database.external.tls: "verify-ca" is not allowed`},
		"weaker, by the way":       {external("", elsewhere, "backend", `{"environment":{"PGSSLMODE":"require"}}`), `tarot:backend.environment: "PGSSLMODE" is not allowed`},
		"no way out":               {external("", elsewhere, "networks", `{"backendEgress":false}`), `tarot:networks.backendEgress: "false" is not allowed; allowed: true where database.kind is external`},
		"too few connections":      {raw("database", `{"kind":"external","connections":100}`, "networks", `{"backendEgress":true}`, "databaseUrl", elsewhere), `tarot:database.connections: "100" is not allowed; allowed: at least 141`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(test.raw)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if test.want == "" && said != "" || test.want != "" && !strings.Contains(said, test.want) || strings.Contains(said, "word") && !strings.Contains(said, "password") || strings.Contains(said, "w%40rd") {
				t.Errorf("%s, want %s", said, test.want)
			}
		})
	}
}

func TestAnAddressIsTakenApart(t *testing.T) {
	a, err := AddressOf(elsewhere + "?options=-c%20x%3D1")
	if err != nil || a.Host != "db.example" || a.Port != "6543" || a.User != "shop" || a.Password != "w@rd-of-the-account" || a.Database != "orders" || a.More["options"] != "-c x=1" {
		t.Errorf("%v: %+v", err, a)
	}
	if _, err := AddressOf("postgresql://u:wo%rd@db/x"); err == nil || strings.Contains(err.Error(), "wo%rd") {
		t.Errorf("%v", err)
	}
}

func TestWeakerTrustIsTold(t *testing.T) {
	cfg := Defaults()
	cfg.Database.Kind = External
	for mode, told := range map[string]int{"verify-full": 0, "verify-ca": 1, "require": 1, "disable": 1} {
		if cfg.Database.External.TLS = mode; len(cfg.ExternalWarnings()) != told {
			t.Errorf("%s: %q", mode, cfg.ExternalWarnings())
		}
	}
}

func TestWhichConfigurationIsExternal(t *testing.T) {
	for text, want := range map[string]bool{"": false, `{"kind":"external"}`: true, `{"kind":"postgres"}`: false} {
		all := map[string]string{}
		if text != "" {
			all[Namespace+":database"] = text
		}
		if is, err := IsExternal(all); err != nil || is != want {
			t.Errorf("%s: %v, %v", text, is, err)
		}
	}
}
