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
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fault is something that goes wrong, and the alert that has to say so.
type fault struct {
	name, alert string
	begin, end  func()
}

// rehearse injects faults one by one: the right alert, and no other, fires, and
// is resolved when the fault is over.
func (s *stack) rehearse(out map[string]any, u *users, diskLimit int) {
	api := fmt.Sprint(out["apiUrl"])
	s.quiet(90 * time.Second)
	look := s.operator()
	if said, code := look("status", s.name); code != 0 || !strings.Contains(said, "all is well") {
		s.t.Errorf("status: exit code %d\n%s", code, said)
	}
	var stopped []string
	for _, f := range []fault{
		// These two while the long windows hold no other fault.
		{"one of twenty requests fails", "ErrorBudgetBurn", func() { u.also(20, api+"/debug/fail") }, func() { u.also(0, "") }},
		{"every other request is slow", "LatencyBudgetBurn", func() { u.also(2, api+"/debug/slow?seconds=1") }, func() { u.also(0, "") }},
		{"a replica stays away", "ReplicasMissing", func() { stopped = s.away(1) }, func() { s.back(stopped) }},
		{"all replicas stay away", "BackendDown", func() { stopped = s.away(2) }, func() { s.back(stopped) }},
		{"the database is locked", "DatabaseLocked", s.lockAgain(fmt.Sprint(out["image"])), func() { s.unlock() }},
		{"the disk is almost full", "DiskAlmostFull", func() { s.fillDisk(diskLimit) }, s.emptyDisk},
		{"the certificate is about to end", "CertificateExpiresSoon", func() { s.certificateFor(5 * 24 * time.Hour) }, func() { s.certificateFor(90 * 24 * time.Hour) }},
		{"the backup is too old", "BackupTooOld", func() { s.backup(48 * time.Hour) }, func() { s.backup(time.Hour) }},
	} {
		s.t.Run(f.name, func(t *testing.T) {
			defer s.in(t)()
			begin := time.Now()
			f.begin()
			s.fires(f.alert, 150*time.Second)
			fired := time.Since(begin)
			time.Sleep(10 * time.Second) // what else there is to come
			s.fires(f.alert, 0)
			if said, code := look("status", s.name); code != 1 || !strings.Contains(said, "alert "+f.alert) {
				t.Errorf("status: exit code %d, and nothing of %s\n%s", code, f.alert, said)
			}
			end := time.Now()
			f.end()
			s.quiet(4 * time.Minute)
			t.Logf("%s: fired after %.0f s, resolved after %.0f s", f.alert, fired.Seconds(), time.Since(end).Seconds())
		})
	}
}

// alerts are those that would be told: neither silenced nor inhibited.
func (s *stack) alerts() []string {
	s.t.Helper()
	text := s.amtool("json")
	var found []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		s.t.Fatalf("amtool: %v: %s", err, text)
	}
	var names []string
	for _, a := range found {
		if a.Status.State == "active" && !slices.Contains(names, a.Labels["alertname"]) {
			names = append(names, a.Labels["alertname"])
		}
	}
	return names
}

// amtool lists the alerts, where Alertmanager is.
func (s *stack) amtool(form string) string {
	s.t.Helper()
	return s.inside("alertmanager", "/bin/amtool", "--alertmanager.url=http://127.0.0.1:9093", "alert", "query", "--output="+form)
}

// fires waits for the alert, and fails where there is another one meanwhile.
func (s *stack) fires(alert string, within time.Duration) {
	s.t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Second) {
		found := s.alerts()
		for _, other := range found {
			if other != alert {
				s.t.Errorf("%s fires, too: %s", other, s.amtool("extended"))
				return
			}
		}
		if len(found) > 0 {
			return
		}
		if time.Since(begin) > within {
			s.t.Errorf("%s does not fire within %s; pending: %v", alert, within, s.query(`ALERTS`))
			return
		}
	}
}

// quiet waits until nothing fires.
func (s *stack) quiet(within time.Duration) {
	s.t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Second) {
		found := s.alerts()
		if len(found) == 0 {
			return
		}
		if time.Since(begin) > within {
			s.t.Errorf("after %s there still fires %v", within, found)
			return
		}
	}
}

// away has replicas stop, in a way that nothing brings them back.
func (s *stack) away(count int) []string {
	s.t.Helper()
	if s.runtime() == "swarm" {
		s.docker("service", "scale", "--detach", fmt.Sprintf("%s-backend=%d", s.prefix(), watchedReplicas-count))
		return nil
	}
	var stopped []string
	for id := range s.containers("backend") {
		if len(stopped) < count {
			s.docker("stop", id)
			stopped = append(stopped, id)
		}
	}
	return stopped
}

func (s *stack) back(stopped []string) {
	s.t.Helper()
	if s.runtime() == "swarm" {
		s.docker("service", "scale", "--detach", fmt.Sprintf("%s-backend=%d", s.prefix(), watchedReplicas))
		return
	}
	for _, id := range stopped {
		s.docker("start", id)
	}
}

func (s *stack) runtime() string { return fmt.Sprint(s.outputs()["runtime"]) }

// lockAgain holds the database's lock three seconds of four: less than what a
// write waits before it gives up.
func (s *stack) lockAgain(image string) func() {
	const script = `import sqlite3, time
db = sqlite3.connect("/app/data/prod.db", isolation_level=None, timeout=30)
while True:
    db.execute("BEGIN IMMEDIATE")
    time.sleep(3)
    db.execute("ROLLBACK")
    time.sleep(1)`
	return func() {
		s.docker("run", "--detach", "--rm", "--name", s.locker(), "--network", "none", "--user", "10001:10001", "--volume", s.volume("data")+":/app/data",
			image, "python", "-c", script)
	}
}

func (s *stack) locker() string { return "e2e-" + s.id + "-locker" }

func (s *stack) unlock() { s.docker("rm", "--force", s.locker()) }

// disk is that of the engine's volumes, seen from here: its free share in percent,
// and one percent in bytes.
func disk(t *testing.T) (free float64, percent int64) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(engineFolder(t), &fs); err != nil {
		t.Fatal(err)
	}
	return 100 * float64(fs.Bavail) / float64(fs.Blocks), int64(fs.Blocks) * fs.Bsize / 100
}

func engineFolder(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(docker(t, "info", "--format", "{{.DockerRootDir}}"))
}

func freeDisk(t *testing.T) int {
	t.Helper()
	free, _ := disk(t)
	return int(free)
}

func (s *stack) filler() string { return filepath.Join(engineFolder(s.t), "e2e-"+s.id+"-filler") }

// fillDisk takes the disk half a percent below the limit.
func (s *stack) fillDisk(limit int) {
	t := s.t
	t.Helper()
	free, percent := disk(t)
	size := int64((free - float64(limit) + 0.5) * float64(percent))
	if out, err := exec.Command("fallocate", "-l", fmt.Sprint(size), s.filler()).CombinedOutput(); err != nil {
		t.Fatalf("fallocate: %v: %s", err, out)
	}
	t.Cleanup(s.emptyDisk)
}

func (s *stack) emptyDisk() { _ = os.Remove(s.filler()) }

// certificateFor gives nginx a certificate that ends so soon.
func (s *stack) certificateFor(left time.Duration) {
	t := s.t
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(left)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"soon.crt": {Type: "CERTIFICATE", Bytes: der}, "soon.key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(s.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.config("nginx.tls.certificate", "soon.crt")
	s.config("nginx.tls.key", "soon.key")
	s.config("nginx.tls.mode", "given")
	s.up()
}

// backup tells of one, as docs/monitoring.md has it.
func (s *stack) backup(age time.Duration) {
	s.t.Helper()
	s.docker("run", "--rm", "--network", "none", "--user", "0:0", "--volume", s.prefix()+"-metrics:/textfile", "--entrypoint", "/bin/sh", "prom/node-exporter:v1.11.1", "-c",
		fmt.Sprintf(`echo 'backup_last_success_timestamp_seconds{name="database"} %d' >/textfile/.backup && mv /textfile/.backup /textfile/backup.prom`, time.Now().Add(-age).Unix()))
}
