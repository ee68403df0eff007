package certificate

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seed  = []byte("a seed of thirty-two bytes......")
	names = []string{"tarot.example", "*.tarot.example", "localhost", "127.0.0.1", "::1"}
	june  = time.Date(2030, time.June, 15, 12, 0, 0, 0, time.UTC)
)

func selfSigned(t *testing.T, seed []byte, names []string, now time.Time) (Pair, *x509.Certificate) {
	t.Helper()
	pair, err := SelfSigned(seed, names, now)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key))
	if err != nil {
		t.Fatal(err)
	}
	return pair, loaded.Leaf
}

func TestSelfSignedChangesWithTheYearTheSeedAndTheNamesOnly(t *testing.T) {
	first, _ := selfSigned(t, seed, names, june)
	for _, test := range []struct {
		name           string
		seed           []byte
		names          []string
		now            time.Time
		sameCert, sKey bool
	}{
		{"the same", seed, names, june, true, true},
		{"the first moment of the year", seed, names, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), true, true},
		{"the last moment of the year", seed, names, time.Date(2030, 12, 31, 23, 59, 59, 0, time.UTC), true, true},
		{"still the year in UTC", seed, names, time.Date(2031, 1, 1, 0, 30, 0, 0, time.FixedZone("east", 3600)), true, true},
		{"the next year", seed, names, june.AddDate(1, 0, 0), false, true},
		{"another name", seed, names[1:], june, false, true},
		{"another seed", []byte("another"), names, june, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := selfSigned(t, test.seed, test.names, test.now)
			if (got.Certificate == first.Certificate) != test.sameCert {
				t.Errorf("the certificate is the same: %v, want %v", !test.sameCert, test.sameCert)
			}
			if (got.Key == first.Key) != test.sKey {
				t.Errorf("the key is the same: %v, want %v", !test.sKey, test.sKey)
			}
		})
	}
}

func TestSelfSignedIsTrustedForItsNames(t *testing.T) {
	_, leaf := selfSigned(t, seed, names, june)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for name, want := range map[string]bool{
		"tarot.example": true, "www.tarot.example": true, "localhost": true, "127.0.0.1": true, "::1": true,
		"example": false, "other.example": false, "127.0.0.2": false,
	} {
		_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: june})
		if (err == nil) != want {
			t.Errorf("%s: %v, want trust: %v", name, err, want)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: x509.NewCertPool(), CurrentTime: june}); err == nil {
		t.Error("trusted without being told to")
	}
	if !leaf.IsCA || leaf.KeyUsage&x509.KeyUsageCertSign == 0 {
		t.Error("OpenSSL takes it for no authority, not even for itself") // Go's own check is milder
	}
	if leaf.Subject.CommonName != names[0] || !slices.Equal(leaf.DNSNames, names[:3]) {
		t.Errorf("made for %s, %v", leaf.Subject, leaf.DNSNames)
	}
}

func TestSelfSignedLastsFromTheYearsBeginningForAsLongAsBrowsersTake(t *testing.T) {
	_, leaf := selfSigned(t, seed, names, june)
	if want := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC); !leaf.NotBefore.Equal(want) {
		t.Errorf("from %s", leaf.NotBefore)
	}
	if days := leaf.NotAfter.Sub(leaf.NotBefore).Hours() / 24; days != 825 {
		t.Errorf("for %v days", days)
	}
}

func TestCheck(t *testing.T) {
	pair, leaf := selfSigned(t, seed, names, june)
	other, _ := selfSigned(t, []byte("another"), names, june)
	for _, test := range []struct {
		name string
		pair Pair
		now  time.Time
		want string
	}{
		{"good", pair, june, ""},
		{"its last moment", pair, leaf.NotAfter, ""},
		{"its first moment", pair, leaf.NotBefore, ""},
		{"expired", pair, leaf.NotAfter.Add(time.Second), "the certificate has expired on 2032-04-05"},
		{"too early", pair, leaf.NotBefore.Add(-time.Second), "the certificate is valid from 2030-01-01 on only"},
		{"the key of another", Pair{pair.Certificate, other.Key}, june, "private key does not match"},
		{"exchanged", Pair{pair.Key, pair.Certificate}, june, "may have been switched"},
		{"no certificate", Pair{"", pair.Key}, june, "failed to find any PEM data in certificate"},
		{"no key", Pair{pair.Certificate, ""}, june, "failed to find any PEM data in key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.pair.Check(test.now)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestSelfSigned(t *testing.T) {
	root, ca := selfSigned(t, seed, names, june)
	key, err := keyFrom(seed)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "tarot.example"}}, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	signed := Pair{Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + root.Certificate}
	for what, test := range map[string]struct {
		pair Pair
		want bool
	}{"its own": {root, true}, "an authority's": {signed, false}, "nothing": {Pair{}, true}} {
		if got := test.pair.SelfSigned(); got != test.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
