package config

import (
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/certificate"
)

// pair makes a certificate as if the year were now's and some more.
func pair(t *testing.T, seed string, years int) certificate.Pair {
	t.Helper()
	made, err := certificate.SelfSigned([]byte(seed), []string{"tarot.example"}, time.Now().AddDate(years, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestGivenCertificateIsChecked(t *testing.T) {
	const noKey = `tarot:nginx.tls.key: "a.key" is not allowed; ` +
		`allowed: a file that exists and matches the certificate, or empty with the secret tlsKey`
	const wanted = "; allowed: a certificate that is valid now, with the key that belongs to it"
	valid, other, expired, future := pair(t, "a", 0), pair(t, "b", 0), pair(t, "a", -5), pair(t, "a", 5)
	for _, test := range []struct {
		name             string
		certificate, key string // written to a.crt and a.key where not empty
		more             map[string]string
		want             string
	}{
		{"files", valid.Certificate, valid.Key, nil, ""},
		{"secrets", "", "", raw("tlsCertificate", valid.Certificate, "tlsKey", valid.Key), ""},
		{"secrets go before files", "rubbish", "rubbish", raw("tlsCertificate", valid.Certificate, "tlsKey", valid.Key), ""},
		{"a file and a secret", valid.Certificate, "", raw("tlsKey", valid.Key), ""},
		{"no files", "", "", nil,
			`tarot:nginx.tls.certificate: "a.crt" is not allowed; allowed: a file that exists, or empty with the secret tlsCertificate` + "\n" +
				noKey},
		{"no key", valid.Certificate, "", nil,
			noKey},
		{"key of another certificate", valid.Certificate, other.Key, nil,
			`tarot:nginx.tls.certificate: "a.crt" (tls: private key does not match public key) is not allowed` + wanted},
		{"no PEM", "rubbish", valid.Key, nil,
			`tarot:nginx.tls.certificate: "a.crt" (tls: failed to find any PEM data in certificate input) is not allowed` + wanted},
		{"expired", expired.Certificate, expired.Key, nil, `tarot:nginx.tls.certificate: "a.crt" (the certificate has expired on `},
		{"not valid yet", future.Certificate, future.Key, nil, `tarot:nginx.tls.certificate: "a.crt" (the certificate is valid from `},
	} {
		t.Run(test.name, func(t *testing.T) {
			inProject(t)
			for path, content := range map[string]string{"./a.crt": test.certificate, "./a.key": test.key} {
				if content != "" {
					write(t, path, content)
				}
			}
			values := raw("nginx", `{"tls":{"mode":"given","certificate":"a.crt","key":"a.key"}}`)
			for key, value := range test.more {
				values[key] = value
			}
			cfg, err := Load(values)
			if test.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Count(err.Error(), "\n") != strings.Count(test.want, "\n") {
					t.Fatalf("got\n%v\nwant\n%s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := cfg.GivenCertificate(); err != nil || got != valid {
				t.Errorf("another certificate: %v", err)
			}
		})
	}
}

func TestCertificateIsNotReadWhereItIsNotServed(t *testing.T) {
	inProject(t)
	const given = `"tls":{"mode":"given","certificate":"nowhere","key":"nowhere"}`
	values := raw("nginx", `{"enabled":false,`+given+"}", "backend", "{"+dev+"}", "networks", `{"isolated":false}`)
	if _, err := Load(values); err != nil {
		t.Error(err)
	}
}
