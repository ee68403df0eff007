package config

import (
	"slices"
	"strings"
	"testing"
)

func TestACMEIsChecked(t *testing.T) {
	const names = `"serverNames":["Shop.example"],`
	acme := func(nginx, acme string, more ...string) map[string]string {
		return raw(append([]string{"nginx", `{` + nginx + `"tls":{"mode":"acme","acme":{` + acme + `}}}`}, more...)...)
	}
	eab, token := []string{ACMEKeyIDSecret, "me", ACMEHmacSecret, "key"}, []string{acmeDNSToken, "token"}
	for name, test := range map[string]struct {
		raw  map[string]string
		want string
	}{
		"as little as that":         {acme(names, ``), ""},
		"all CAs":                   {acme(names, `"email":"me@shop.example","ca":["letsencrypt","zerossl","litessl","https://ca.example/dir"],"eab":"litessl"`, eab...), ""},
		"a wildcard":                {acme("", `"domains":["*.shop.example","shop.example"],"challenge":"dns-01","dns":"cloudflare"`, token...), ""},
		"staging":                   {acme(names, `"staging":true`), ""},
		"no name":                   {acme("", ``), `tarot:nginx.tls.acme.domains: "" is not allowed`},
		"no name of a CA's":         {acme(`"serverNames":["shop"],`, ``), `tarot:nginx.tls.acme.domains: "shop" is not allowed`},
		"no CA":                     {acme(names, `"ca":[]`), `tarot:nginx.tls.acme.ca: "" is not allowed`},
		"an unknown CA":             {acme(names, `"ca":["comodo"]`), `tarot:nginx.tls.acme.ca: "comodo" is not allowed; allowed: a list of letsencrypt, zerossl, litessl, or directory addresses that begin with https://; each once`},
		"a CA without TLS":          {acme(names, `"ca":["http://ca.example/dir"]`), `tarot:nginx.tls.acme.ca: "http://ca.example/dir" is not allowed`},
		"a CA twice":                {acme(names, `"ca":["letsencrypt","letsencrypt"]`), `tarot:nginx.tls.acme.ca: "letsencrypt" is not allowed`},
		"zerossl for nobody":        {acme(names, `"ca":["zerossl"]`), `(zerossl binds its accounts to one)`},
		"litessl without its EAB":   {acme(names, `"ca":["litessl"]`), `tarot:nginx.tls.acme.eab: "" is not allowed`},
		"EAB of nobody":             {acme(names, `"eab":"litessl"`, eab...), `tarot:nginx.tls.acme.eab: "litessl" is not allowed`},
		"EAB without its secrets":   {acme(names, `"ca":["litessl"],"eab":"litessl"`), "pulumi config set --secret tarot:acmeEabHmac"},
		"alidns":                    {acme(names, `"challenge":"dns-01","dns":"alidns"`, "acmeDnsKeyId", "id", "acmeDnsKey", "key"), ""},
		"alidns without a key":      {acme(names, `"challenge":"dns-01","dns":"alidns"`, "acmeDnsKeyId", "id"), "pulumi config set --secret tarot:acmeDnsKey`"},
		"staging of others":         {acme(names, `"staging":true,"ca":["letsencrypt","https://ca.example/dir"]`), `tarot:nginx.tls.acme.staging: "true" is not allowed`},
		"a wildcard by HTTP":        {acme("", `"domains":["*.shop.example"]`), `tarot:nginx.tls.acme.challenge: "http-01" is not allowed; allowed: http-01 or dns-01 (CAs give a certificate for *.shop.example by dns-01 alone)`},
		"DNS of nobody":             {acme(names, `"challenge":"dns-01"`), `tarot:nginx.tls.acme.dns: "" is not allowed`},
		"DNS of somebody unknown":   {acme(names, `"challenge":"dns-01","dns":"route53"`, token...), `tarot:nginx.tls.acme.dns: "route53" is not allowed`},
		"DNS that nobody asks":      {acme(names, `"dns":"cloudflare"`), `tarot:nginx.tls.acme.dns: "cloudflare" is not allowed`},
		"DNS without its secret":    {acme(names, `"challenge":"dns-01","dns":"cloudflare"`), "pulumi config set --secret tarot:acmeDnsToken"},
		"another challenge":         {acme(names, `"challenge":"tls-alpn-01"`), `tarot:nginx.tls.acme.challenge: "tls-alpn-01" is not allowed`},
		"roots that are not there":  {acme(names, `"caRoot":"nowhere.pem"`), `tarot:nginx.tls.acme.caRoot: "nowhere.pem" is not allowed`},
		"no address":                {acme(names, `"email":"me"`), `tarot:nginx.tls.acme.email: "me" is not allowed`},
		"where it is not asked for": {raw("nginx", `{"tls":{"acme":{"staging":true,"ca":["litessl"]}}}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			_, err := Load(test.raw)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestWhomACertificateIsFor(t *testing.T) {
	cfg := Defaults()
	cfg.Nginx.ServerNames = []string{"Shop.example", "www.shop.example"}
	cfg.Routes = map[string]Route{"api": {Host: "api.shop.example"}, "again": {Host: "shop.example"}}
	cfg.Sites = map[string]Site{"blog": {Hosts: []string{"blog.example"}}}
	if got := cfg.ACMENames(); !slices.Equal(got, []string{"shop.example", "www.shop.example", "api.shop.example", "blog.example"}) {
		t.Error(got)
	}
	cfg.Nginx.TLS.ACME.Domains = []string{"*.shop.example"}
	if got := cfg.ACMENames(); !slices.Equal(got, []string{"*.shop.example"}) {
		t.Error(got)
	}
	a := cfg.Nginx.TLS.ACME
	if got := a.Directory("letsencrypt"); got != "https://acme-v02.api.letsencrypt.org/directory" || !a.Trusted() {
		t.Error(got, a.Trusted())
	}
	a.Staging = true
	if got := a.Directory("letsencrypt"); !strings.Contains(got, "staging") || a.Trusted() {
		t.Error(got, a.Trusted())
	}
	if got := (ACME{}).Directory("https://ca.example/dir"); got != "https://ca.example/dir" {
		t.Error(got)
	}
}
