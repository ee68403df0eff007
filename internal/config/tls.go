package config

import (
	"errors"
	"os"
	"time"

	"tarot-platform/internal/certificate"
)

// GivenCertificate is the certificate that the configuration gives, by path or
// by secret. Validate has checked it.
func (cfg Config) GivenCertificate() (certificate.Pair, error) {
	crt, err1 := given(cfg.Secrets["tlsCertificate"], cfg.Nginx.TLS.Certificate)
	key, err2 := given(cfg.Secrets["tlsKey"], cfg.Nginx.TLS.Key)
	return certificate.Pair{Certificate: crt, Key: key}, errors.Join(err1, err2)
}

func given(secret, path string) (string, error) {
	if secret != "" {
		return secret, nil
	}
	data, err := os.ReadFile(path)
	return string(data), err
}

func (cfg Config) checkCertificate() []error {
	if !cfg.Nginx.Enabled || cfg.Nginx.TLS.Mode != "given" {
		return nil
	}
	var faults []error
	for _, source := range []struct{ key, secret, path string }{
		{"nginx.tls.certificate", cfg.Secrets["tlsCertificate"], cfg.Nginx.TLS.Certificate},
		{"nginx.tls.key", cfg.Secrets["tlsKey"], cfg.Nginx.TLS.Key},
	} {
		if _, err := given(source.secret, source.path); err != nil {
			faults = append(faults, Fault{Namespace, source.key, quote(source.path), allowed(source.key)})
		}
	}
	if len(faults) > 0 {
		return faults
	}
	pair, err := cfg.GivenCertificate()
	if err == nil {
		err = pair.Check(time.Now())
	}
	if err != nil {
		return []error{Fault{Namespace, "nginx.tls.certificate", quote(cfg.Nginx.TLS.Certificate) + " (" + err.Error() + ")",
			"a certificate that is valid now, with the key that belongs to it"}}
	}
	return nil
}
