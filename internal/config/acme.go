package config

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// ACME says whose certificate is to be got, and how.
type ACME struct {
	// Whom the CA writes to. zerossl binds its accounts to it.
	Email string `key:"email" allowed:"empty, or an e-mail address; not empty where ca has zerossl"`
	// The names that the certificate is for. Empty: all that the site is known by, in
	// `nginx.serverNames`, `routes` and `sites`.
	Domains []string `key:"domains" allowed:"a list of host names, or with the challenge dns-01 of wildcards such as *.shop.example"`
	// The CAs, in the order that they are asked in: the next one where one gives none.
	CA []string `key:"ca" allowed:"a list of letsencrypt, zerossl, litessl, or directory addresses that begin with https://; each once"`
	// Let's Encrypt's staging CA, for a trial: browsers don't trust it, and its limits are wide.
	Staging bool `key:"staging" allowed:"true or false; true with no CA but letsencrypt"`
	// Which one of `ca` the secrets `acmeEabKeyId` and `acmeEabHmac` are of, as litessl has
	// them. zerossl wants none.
	EAB string `key:"eab" allowed:"empty, or one of ca; litessl where ca has that"`
	// How the CA is shown whose names they are. `http-01`: it asks nginx, at port 80 of each
	// name. `dns-01`: it looks for a record, which `dns` is asked to make; the only one for
	// wildcards, and where port 80 can't be reached.
	Challenge string `key:"challenge" allowed:"http-01 or dns-01"`
	// Who has the names' zone: cloudflare with the secret `acmeDnsToken`, alidns and
	// tencentcloud with `acmeDnsKeyId` and `acmeDnsKey`. The zone of names that are
	// elsewhere needs a CNAME from `_acme-challenge.NAME` into one there.
	DNS string `key:"dns" allowed:"cloudflare, alidns or tencentcloud with the challenge dns-01, empty with http-01"`
	// Certificates, in PEM form, of a CA of one's own, which are believed beside the
	// well-known when the CAs are asked. Browsers don't know it: they are told nothing of HSTS.
	CARoot string `key:"caRoot" allowed:"empty, or a file with certificates in PEM form"`
}

// The secrets of ACME.
const (
	ACMEKeyIDSecret = "acmeEabKeyId"
	ACMEHmacSecret  = "acmeEabHmac"
	acmeDNSToken    = "acmeDnsToken"
	acmeDNSKeyID    = "acmeDnsKeyId"
	acmeDNSKey      = "acmeDnsKey"
)

// What the challenges are called.
const (
	ByHTTP = "http-01"
	ByDNS  = "dns-01"
)

// directories are the well-known CAs' addresses.
var directories = map[string]string{
	"letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
	"zerossl":     "https://acme.zerossl.com/v2/DV90",
	"litessl":     "https://acme.litessl.com/acme/v2/directory",
}

const staging = "https://acme-staging-v02.api.letsencrypt.org/directory"

// Directory is the address of one of the CAs.
func (a ACME) Directory(ca string) string {
	if a.Staging {
		return staging
	}
	if known := directories[ca]; known != "" {
		return known
	}
	return ca
}

// Trusted is true for a certificate that browsers trust.
func (a ACME) Trusted() bool { return !a.Staging && a.CARoot == "" }

// DNSSecrets are the names of those that who has the names' zone wants.
func (a ACME) DNSSecrets() []string {
	switch a.DNS {
	case "cloudflare":
		return []string{acmeDNSToken}
	case "alidns", "tencentcloud":
		return []string{acmeDNSKeyID, acmeDNSKey}
	}
	return nil
}

// Secrets are the names of all that are wanted.
func (a ACME) Secrets() []string {
	all := a.DNSSecrets()
	if a.EAB != "" {
		all = append(all, ACMEHmacSecret, ACMEKeyIDSecret)
	}
	slices.Sort(all)
	return all
}

// ACME is true where the certificate is got by it.
func (cfg Config) ACME() bool { return cfg.Nginx.Enabled && cfg.Nginx.TLS.Mode == "acme" }

// ACMENames are those that the certificate is for.
func (cfg Config) ACMENames() []string {
	names := cfg.Nginx.TLS.ACME.Domains
	if len(names) == 0 {
		names = slices.Concat(cfg.Nginx.ServerNames, cfg.Hosts(), cfg.SiteNames())
	}
	var all []string
	for _, name := range names {
		if name = strings.ToLower(name); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// ACMERoots is the text of the certificates that the stack file names; empty: it names none.
// Validate has checked it.
func (cfg Config) ACMERoots() (string, error) {
	if cfg.Nginx.TLS.ACME.CARoot == "" {
		return "", nil
	}
	text, err := os.ReadFile(cfg.Nginx.TLS.ACME.CARoot)
	return string(text), err
}

// check finds what is wrong one by one, whatever nginx.tls.mode is.
func (a ACME) check(c *checker) {
	const key = "nginx.tls.acme."
	c.want(a.Email == "" || strings.Contains(a.Email, "@"), key+"email", a.Email)
	for _, name := range a.Domains {
		c.matches(key+"domains", name, hostName) // or a wildcard
	}
	seen := map[string]bool{}
	for _, ca := range a.CA {
		u, err := url.Parse(ca)
		c.want((directories[ca] != "" || err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil) && !seen[ca], key+"ca", ca)
		seen[ca] = true
	}
	c.want(len(a.CA) > 0, key+"ca", "")
	c.oneOf(key+"challenge", a.Challenge, ByHTTP, ByDNS)
	c.oneOf(key+"dns", a.DNS, "", "cloudflare", "alidns", "tencentcloud")
}

// checkACME finds what is wrong together, where the certificate is got by it.
func (cfg Config) checkACME(c *checker) {
	if !cfg.ACME() {
		return
	}
	const key = "nginx.tls.acme."
	a := cfg.Nginx.TLS.ACME
	has := func(ca string) bool { return slices.Contains(a.CA, ca) }
	if a.Email == "" && has("zerossl") && a.EAB != "zerossl" {
		c.because(key+"email", "", "zerossl binds its accounts to one")
	}
	names := cfg.ACMENames()
	if len(names) == 0 {
		c.because(key+"domains", "", "nginx.serverNames is empty, too, and a certificate is for names")
	}
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "*.") && a.Challenge != ByDNS:
			c.because(key+"challenge", a.Challenge, "CAs give a certificate for "+name+" by dns-01 alone")
		case !strings.Contains(name, "."):
			c.because(key+"domains", name, "no CA gives a certificate for a name without a domain")
		}
	}
	if a.Staging && (len(a.CA) != 1 || !has("letsencrypt")) {
		c.because(key+"staging", "true", "ca is "+strings.Join(a.CA, ", "))
	}
	if a.EAB != "" && !has(a.EAB) || has("litessl") && a.EAB != "litessl" {
		c.because(key+"eab", a.EAB, "ca is "+strings.Join(a.CA, ", "))
	}
	if a.Challenge == ByHTTP && a.DNS != "" || a.Challenge == ByDNS && a.DNS == "" {
		c.because(key+"dns", a.DNS, "challenge is "+a.Challenge)
	}
	if a.CARoot != "" {
		text, err := os.ReadFile(a.CARoot)
		if err == nil {
			err = certificates(text)
		}
		if err != nil {
			c.because(key+"caRoot", a.CARoot, err.Error())
		}
	}
	need := func(secret, why string) {
		if cfg.Secrets[secret] == "" {
			c.add(Fault{Namespace, secret, "no secret", fmt.Sprintf("what %s gives for it, where %s: `pulumi config set --secret %s:%s`", why, "nginx.tls.acme says so", Namespace, secret)})
		}
	}
	if a.EAB != "" {
		need(ACMEKeyIDSecret, a.EAB)
		need(ACMEHmacSecret, a.EAB)
	}
	for _, secret := range a.DNSSecrets() {
		need(secret, a.DNS)
	}
}
