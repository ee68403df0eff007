package config

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// DatabaseExternal is a PostgreSQL that somebody else runs, whose address is the secret `databaseUrl`.
type DatabaseExternal struct {
	// The certificates of whoever has signed the server's, in PEM form. Empty: those
	// that the image trusts.
	CA string `key:"ca" allowed:"empty, or a file with certificates in PEM form"`
	// What has to be true of a connection. `verify-full`: it is encrypted, and the server's
	// certificate is good and has its name. `verify-ca`: its name does not matter. `require`:
	// whoever answers is believed. `disable`: anybody on the way can read it.
	TLS string `key:"tls" allowed:"verify-full, verify-ca, require or disable"`
}

// TLS that does not prove who the server is; and all there is.
const (
	verifyFull = "verify-full"
	verifyCA   = "verify-ca"
)

// ExternalCA is the text of the certificates that the stack file names; empty: it names none.
// Validate has checked it.
func (cfg Config) ExternalCA() (string, error) {
	if cfg.Database.Kind != External || cfg.Database.External.CA == "" {
		return "", nil
	}
	text, err := os.ReadFile(cfg.Database.External.CA)
	return string(text), err
}

// Address is an address of a PostgreSQL, part by part.
type Address struct {
	Host, Port, User, Password, Database string
	// More are its parameters.
	More map[string]string
}

// AddressOf takes one apart. No error has a part of it, which may have a password in it.
func AddressOf(text string) (a Address, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return a, errors.New("it is no URL; what is special in a password has to be written as %XX")
	}
	dialect, _, _ := strings.Cut(u.Scheme, "+")
	if dialect != "postgresql" && dialect != "postgres" {
		return a, errors.New("it does not begin with postgresql://")
	}
	a = Address{Host: u.Hostname(), Port: u.Port(), User: u.User.Username(), Database: strings.TrimPrefix(u.Path, "/"), More: map[string]string{}}
	a.Password, _ = u.User.Password()
	if a.Port == "" {
		a.Port = "5432"
	}
	for name, values := range u.Query() {
		a.More[name] = values[len(values)-1]
	}
	for what, has := range map[string]string{"host": a.Host, "user": a.User, "password": a.Password, "database": a.Database} {
		if has == "" {
			return a, fmt.Errorf("it has no %s: postgresql://USER:PASSWORD@HOST:PORT/DATABASE", what)
		}
	}
	return a, nil
}

func (d DatabaseExternal) check(c *checker, cfg Config) {
	c.oneOf("database.external.tls", d.TLS, verifyFull, verifyCA, "require", "disable")
	if cfg.Database.Kind != External {
		return
	}
	if d.CA != "" {
		text, err := os.ReadFile(d.CA)
		if err == nil {
			err = certificates(text)
		}
		if err != nil {
			c.because("database.external.ca", d.CA, err.Error())
		}
		if d.TLS != verifyFull && d.TLS != verifyCA {
			c.because("database.external.ca", d.CA, "database.external.tls is "+d.TLS+", which looks at no certificate")
		}
	} else if d.TLS == verifyCA {
		c.because("database.external.tls", d.TLS, "database.external.ca is empty: of a server that any of the well-known has signed the name has to be right")
	}
	if cfg.Networks.Isolated && !cfg.Networks.BackendEgress {
		c.add(Fault{Namespace, "networks.backendEgress", quote(false), "true where database.kind is external: the backend's network has no way out"})
	}
	for _, name := range []string{"PGSSLMODE", "PGSSLROOTCERT"} {
		if _, own := cfg.Backend.Environment[name]; own {
			c.because("backend.environment", name, Namespace+":database.external sets it")
		}
	}
	secret := Namespace + ":" + DatabaseURLSecret
	if cfg.Secrets[DatabaseURLSecret] == "" {
		c.add(Fault{Namespace, DatabaseURLSecret, "no secret", "the address where database.kind is external: `pulumi config set --secret " + secret + "`, postgresql://USER:PASSWORD@HOST:PORT/DATABASE"})
		return
	}
	a, err := AddressOf(cfg.Secrets[DatabaseURLSecret])
	if err != nil {
		c.add(Fault{Namespace, DatabaseURLSecret, "a secret of another form", "the address where database.kind is external (" + err.Error() + ")"})
		return
	}
	if mode, told := a.More["sslmode"]; told && mode != d.TLS {
		c.add(Fault{Namespace, DatabaseURLSecret, "a secret with sslmode=" + mode, "none, or sslmode=" + d.TLS + ", as database.external.tls says: what is weaker has to be said there"})
	}
	for _, name := range []string{"sslrootcert", "host", "hostaddr", "service", "passfile"} {
		if _, told := a.More[name]; told {
			c.add(Fault{Namespace, DatabaseURLSecret, "a secret with " + name, "one without it; a CA's file is database.external.ca"})
		}
	}
	if net.ParseIP(a.Host) == nil && strings.ContainsAny(a.Host, ",/") {
		c.add(Fault{Namespace, DatabaseURLSecret, "a secret with several hosts, or a socket", "one host"})
	}
}

// certificates is an error where a text has none, or one that is broken.
func certificates(text []byte) error {
	found := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("it has a %s in it", strings.ToLower(block.Type))
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return errors.New("there is no certificate in it")
	}
	return nil
}

// ExternalWarnings tell of what is believed of an external database.
func (cfg Config) ExternalWarnings() []string {
	if cfg.Database.Kind != External || cfg.Database.External.TLS == verifyFull {
		return nil
	}
	who := map[string]string{verifyCA: "whoever has a certificate of the same CA is believed", "require": "whoever answers is believed, and gets the password's proof",
		"disable": "nothing is encrypted: who is on the way reads, and changes, all"}[cfg.Database.External.TLS]
	return []string{fmt.Sprintf("%s:database.external.tls is %s: %s", Namespace, cfg.Database.External.TLS, who)}
}

// IsExternal is true where a configuration as the stack file has it names a database that somebody
// else runs.
func IsExternal(raw map[string]string) (bool, error) {
	var d struct{ Kind string }
	text := raw[Namespace+":database"]
	if text == "" {
		return false, nil
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return false, fmt.Errorf("%s:database: %w", Namespace, err)
	}
	return d.Kind == External, nil
}
