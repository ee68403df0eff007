//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/certificate"
)

// TestGradeOfTLS has testssl.sh grade nginx's TLS as SSL Labs does, with a certificate of a CA that it trusts; and what is weaker.
//
//suite:thorough
func TestGradeOfTLS(t *testing.T) {
	said, err := exec.Command("../../scripts/testssl.sh").Output()
	if err != nil {
		t.Fatalf("scripts/testssl.sh: %v", err)
	}
	testssl, folder := strings.TrimSpace(string(said)), t.TempDir()
	// It wants a program that looks names up, also where it is given an address.
	if err := os.WriteFile(filepath.Join(folder, "host"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	root, pair := issuedFor(t, "shop.example")
	if err := os.WriteFile(filepath.Join(folder, "root.pem"), []byte(root), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		hsts int
		edit *strings.Replacer
		want string
	}{
		{"as it is", 63072000, strings.NewReplacer(), "A+"},
		{"without HSTS", 0, strings.NewReplacer(), "A"},
		{"with TLS 1.0", 63072000, strings.NewReplacer("ssl_protocols TLSv1.2", "ssl_protocols TLSv1 TLSv1.1 TLSv1.2", "ssl_ciphers ", "ssl_ciphers ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0:"), "B"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDoorWith(t, http.HandlerFunc(played), pair, func(c *assets.Config) { c.HSTS, c.Known = test.hsts, []string{"shop.example"} }, test.edit.Replace)
			address, port, _ := strings.Cut(strings.TrimPrefix(d.https, "https://"), ":")
			file := filepath.Join(t.TempDir(), "found.json")
			// All that the grade is made of.
			cmd := exec.Command(filepath.Join(testssl, "testssl"), "--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", "--ip", address, "--add-ca", filepath.Join(folder, "root.pem"),
				"--jsonfile", file, "-p", "-s", "-f", "-S", "-h", "-U", "shop.example:"+port)
			cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":"+folder, "TESTSSL_INSTALL_DIR="+filepath.Join(testssl, "etc"))
			out, _ := cmd.CombinedOutput() // its exit code is a number of findings
			var found []struct{ ID, Severity, Finding string }
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &found)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			grade, why := "", ""
			for _, f := range found {
				switch {
				case f.ID == "overall_grade":
					grade = f.Finding
				case strings.HasPrefix(f.ID, "grade_cap_reason"):
					why += f.Finding + "; "
				case f.ID == "final_score":
					t.Logf("score %s", f.Finding)
				}
			}
			t.Logf("grade %s %s", grade, why)
			if grade != test.want {
				t.Errorf("the grade is %q, want %q: %s\n%s", grade, test.want, why, out)
			}
		})
	}
}

// issuedFor is a certificate for a name, and the CA's own.
func issuedFor(t *testing.T, name string) (root string, pair certificate.Pair) {
	t.Helper()
	made := func(subject string, issuer *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: subject}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 89),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
		if issuer == nil {
			c.IsCA, c.KeyUsage, issuer, by = true, x509.KeyUsageCertSign, c, key
		} else {
			c.DNSNames, c.ExtKeyUsage = []string{subject}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed, key
	}
	ca, by := made("The tests' own CA", nil, nil)
	leaf, key := made(name, ca, by)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encoded("CERTIFICATE", ca.Raw), certificate.Pair{Certificate: encoded("CERTIFICATE", leaf.Raw), Key: encoded("PRIVATE KEY", private)}
}
