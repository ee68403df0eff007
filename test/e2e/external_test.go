//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// somebodys is a PostgreSQL that somebody else runs, on a network of theirs: it takes nothing but TLS,
// with a certificate for its address that a CA of the test's has signed.
const somebodys = `set -eu
cp /tls/server.pem /tls/server.key /tmp/
chmod 600 /tmp/server.key
initdb --pgdata /tmp/data --username postgres --auth trust --encoding UTF8 --locale C --no-sync >/dev/null
printf 'local all all trust\nhostssl all all all scram-sha-256\n' >/tmp/hba.conf
exec postgres -D /tmp/data -c fsync=off -c listen_addresses='*' -c hba_file=/tmp/hba.conf -c max_connections=60 -c ssl=on -c ssl_cert_file=/tmp/server.pem -c ssl_key_file=/tmp/server.key`

// A stack has its data in somebody else's PostgreSQL. What is wrong with that is told before anything
// of the stack is there: whom it trusts, the password, how many connections there are. The
// application trusts nobody else, either.
//
//suite:thorough
func TestExternalDatabase(t *testing.T) {
	s := prodStack(t, map[string]any{
		"runtime": "containers", "backend.replicas": 1, "backend.workers": 1, "nginx.tls.mode": "off", "monitoring.enabled": false, "networks.backendEgress": true,
		"database.kind": "external", "database.connections": 70, "database.reserve": 5,
	})
	name := s.id + "-somebodys"
	s.docker("network", "create", name)
	t.Cleanup(func() {
		docker(t, "rm", "--force", "--volumes", name)
		docker(t, "network", "rm", name)
	})
	host, port := strings.TrimSpace(s.docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", name)), freePort(t)
	folder := filepath.Join(s.dir, "tls")
	authority, other := newAuthority(t), newAuthority(t)
	authority.sign(t, folder, net.ParseIP(host))
	for file, text := range map[string][]byte{"ca.pem": authority.pem(), "other.pem": other.pem()} {
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.docker("run", "--detach", "--name", name, "--network", name, "--publish", fmt.Sprintf("%d:5432", port), "--user", "999:999", "--tmpfs", "/var/lib/postgresql", "--tmpfs", "/dev/shm",
		"--volume", folder+":/tls:ro", "--entrypoint", "/bin/sh", "postgres:18.6", "-c", somebodys)
	word := "word-of-" + s.id
	psql := func(text string) (string, error) {
		said, err := exec.Command("docker", "exec", name, "psql", "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text).CombinedOutput()
		return strings.TrimSpace(string(said)), err
	}
	sql := func(text string) string {
		t.Helper()
		said, err := psql(text)
		if err != nil {
			t.Fatalf("%s: %v: %s\n%s", text, err, said, docker(t, "logs", name))
		}
		return said
	}
	s.until("somebody's server answers", func() bool { _, err := psql("SELECT 1"); return err == nil })
	sql("CREATE ROLE shop LOGIN PASSWORD '" + word + "'")
	sql("CREATE DATABASE orders OWNER shop")
	address := func(password string) string {
		return fmt.Sprintf("postgresql://shop:%s@%s/orders", password, net.JoinHostPort(host, fmt.Sprint(port)))
	}
	set := func(ca, address string) {
		s.config("database.external.ca", ca)
		s.mustRun("config", "set", "--secret", "tarot:databaseUrl", address)
	}
	refused := func(says string) {
		t.Helper()
		said, err := s.run("up", "--yes", "--skip-preview")
		if err == nil || !strings.Contains(said, says) {
			t.Errorf("%v, want %q:\n%s", err, says, said)
		}
		if strings.Contains(said, word) {
			t.Error("the password is told")
		}
		if len(s.containers("backend"))+len(s.containers("migrate")) > 0 {
			t.Errorf("%q: something of the application is there", says)
		}
	}
	set(filepath.Join(folder, "other.pem"), address(word))
	refused("its certificate is of none of the CAs that are trusted")
	set(filepath.Join(folder, "ca.pem"), address("another-"+word))
	refused("it refuses the user or the password")
	set(filepath.Join(folder, "ca.pem"), address(word))
	refused("it gives this user 60 connections, and tarot:database.connections says 70")
	s.config("database.connections", 60)
	s.up()
	out := s.outputs()
	reading := s.store(out)
	if stored := sql("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'shop' AND NOT ssl"); stored != "0" {
		t.Errorf("%s connections are not encrypted", stored)
	}
	s.read(out, reading)
	s.unchanged()
	said, err := exec.Command("docker", "exec", s.one("backend"), "python", "-c", `import os, psycopg
os.environ.update(PGSSLMODE="verify-full", PGSSLROOTCERT="system")
psycopg.connect(open("/run/secrets/database_url").read())`).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "certificate verify failed") {
		t.Errorf("a server of another CA would be believed: %v: %s", err, said)
	}
}

// authority is a CA of the test's.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{&x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "a CA of the test's"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, key}
	raw, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// sign puts a server's certificate and key into a folder.
func (a authority) sign(t *testing.T, folder string, address net.IP) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "somebody's"}, IPAddresses: []net.IP{address},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"server.pem": {Type: "CERTIFICATE", Bytes: raw}, "server.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
