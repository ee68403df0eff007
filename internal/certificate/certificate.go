// Package certificate makes and checks the certificate that nginx serves.
package certificate

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// Pair is a certificate chain and its private key, both in PEM form.
type Pair struct{ Certificate, Key string }

// SelfSigned makes a certificate for the names. The same seed, names and
// calendar year make the same certificate to the letter, so that an `up` that
// changes nothing changes nothing; the first `up` of a new year renews it.
//
// It is valid from the first of January for 825 days, the longest that Apple's
// systems accept (https://support.apple.com/en-us/103769).
func SelfSigned(seed []byte, names []string, now time.Time) (Pair, error) {
	key, err := keyFrom(seed)
	if err != nil {
		return Pair{}, err
	}
	from := time.Date(now.UTC().Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
	serial := sha256.Sum256(fmt.Appendf(nil, "%x %q %s", seed, names, from))
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial[:16]),
		Subject:               pkix.Name{CommonName: names[0], Organization: []string{"self-signed"}},
		NotBefore:             from,
		NotAfter:              from.AddDate(0, 0, 825),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // so that a client can be told to trust just this one
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	// Without a source of randomness the signature is the deterministic one of
	// RFC 6979.
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return Pair{}, fmt.Errorf("self-signed certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("self-signed certificate: %w", err)
	}
	return Pair{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}, nil
}

// keyFrom derives a P-256 key from a seed. A scalar that the curve does not
// take (one in 2^32 seeds) is followed by the next one.
func keyFrom(seed []byte) (*ecdsa.PrivateKey, error) {
	for i := range 8 {
		scalar, err := hkdf.Key(sha256.New, seed, nil, fmt.Sprintf("tarot-platform tls key %d", i), 32)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		if _, err := ecdh.P256().NewPrivateKey(scalar); err == nil {
			return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		}
	}
	return nil, fmt.Errorf("derive key: no valid key from this seed")
}

// SelfSigned is true where nobody but itself vouches for the certificate. One that can not be
// read is taken for one.
func (p Pair) SelfSigned() bool {
	block, _ := pem.Decode([]byte(p.Certificate))
	if block == nil {
		return true
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	return err != nil || bytes.Equal(leaf.RawIssuer, leaf.RawSubject)
}

// Uncovered are the names that the certificate is not for. Of a pattern, it is any name that
// matches it.
func (p Pair) Uncovered(names []string) ([]string, error) {
	pair, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range names {
		if pair.Leaf.VerifyHostname(strings.Replace(name, "*.", "www.", 1)) != nil {
			all = append(all, name)
		}
	}
	return all, nil
}

// Until is the last moment at which it is valid.
func (p Pair) Until() (time.Time, error) {
	pair, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key))
	if err != nil {
		return time.Time{}, err
	}
	return pair.Leaf.NotAfter, nil
}

// Check says why a certificate can not be served: it does not match its key, or
// it is not valid at the time.
func (p Pair) Check(now time.Time) error {
	pair, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key))
	if err != nil {
		return err
	}
	if now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("the certificate has expired on %s", pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	if now.Before(pair.Leaf.NotBefore) {
		return fmt.Errorf("the certificate is valid from %s on only", pair.Leaf.NotBefore.Format(time.DateOnly))
	}
	return nil
}
