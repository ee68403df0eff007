package edge

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
)

// Where nginx finds its configurations, and what a CA has given, in its container; and where it listens
// for HTTPS there.
const (
	Folder            = "/run/nginx"
	CertificateFolder = "/run/acme"
	HTTPSPort         = 8443
)

// CertificatesCommand prints, in nginx's container, the certificates that it has, and the one that it shows.
// Those in its files are not enough where it goes on with a configuration that has been replaced twice since, and
// what it shows is not where it is just taking another one.
var CertificatesCommand = []string{"/bin/sh", "-c", fmt.Sprintf(`for file in %s/*/tls_certificate %s/*/tls_certificate; do
  [ ! -r "$file" ] || cat "$file" || exit
done
for proxied in "" --haproxy-protocol; do
  curl --silent --insecure --max-time 3 --output /dev/null --write-out '%%{certs}' $proxied https://127.0.0.1:%d/ 2>/dev/null && break
done || :`, Folder, CertificateFolder, HTTPSPort)}

// ErrNone is of a nginx without a certificate.
var ErrNone = errors.New("nginx has no certificate")

// Own knows the certificates of one nginx. Whoever shows another one is somebody else, whatever name that is
// for and whoever vouches for it: what the deploy asks has the stack's token.
type Own struct {
	// Read returns what CertificatesCommand prints.
	Read func(ctx context.Context) (string, error)

	mu    sync.Mutex
	known map[[sha256.Size]byte]bool
}

// Stranger is who shows a certificate that nginx does not have. It was sent nothing.
type Stranger struct{ Name, Issuer string }

func (s *Stranger) Error() string {
	return fmt.Sprintf("the certificate there is none that nginx has, but one for %q, by %q: somebody else answers, and was sent nothing", s.Name, s.Issuer)
}

// TLS is the configuration of a client of that nginx.
func (o *Own) TLS(ctx context.Context) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // nobody has to vouch for what is known itself
		VerifyConnection:   func(s tls.ConnectionState) error { return o.Check(ctx, s.PeerCertificates[0]) },
	}
}

// OrTrusted is the same, or TLS with whoever this machine trusts for the name, such as a CDN that the name leads to. Where
// nginx has no certificate, as behind an edge, it takes any: it is for what holds nothing that somebody else may not
// see. untold decides where it can't be told whose certificate that is.
func (o *Own) OrTrusted(ctx context.Context, untold func(tls.ConnectionState, error) error) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // it is checked below
		VerifyConnection: func(c tls.ConnectionState) error {
			err := o.Check(ctx, c.PeerCertificates[0])
			var stranger *Stranger
			switch {
			case err == nil || errors.Is(err, ErrNone):
				return nil
			case !errors.As(err, &stranger):
				return untold(c, err)
			case !Trusted(c):
				return fmt.Errorf("%w, nor is it one that this machine trusts", err)
			}
			return nil
		},
	}
}

// Trusted is true for a certificate for that name of a CA that this machine knows. An address is no name.
func Trusted(c tls.ConnectionState) bool {
	return c.ServerName != "" && Vouched(c.PeerCertificates, x509.VerifyOptions{DNSName: c.ServerName}) == nil
}

// Vouched is an error for a certificate of no CA that this machine knows; what is shown after it leads to that.
func Vouched(shown []*x509.Certificate, options x509.VerifyOptions) error {
	options.Intermediates = x509.NewCertPool()
	for _, other := range shown[1:] {
		options.Intermediates.AddCert(other)
	}
	_, err := shown[0].Verify(options)
	return err
}

// Check is an error for a certificate that nginx does not have, which is a Stranger, and where that can't be told.
func (o *Own) Check(ctx context.Context, shown *x509.Certificate) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := sha256.Sum256(shown.Raw)
	if o.known[sum] {
		return nil
	}
	text, err := o.Read(ctx) // again: it may have got another one
	if err != nil {
		return fmt.Errorf("which certificate nginx has can not be told: %w", err)
	}
	o.known = map[[sha256.Size]byte]bool{}
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		o.known[sha256.Sum256(block.Bytes)] = true
	}
	switch {
	case o.known[sum]:
		return nil
	case len(o.known) == 0:
		return ErrNone
	}
	return &Stranger{shown.Subject.CommonName, shown.Issuer.CommonName}
}
