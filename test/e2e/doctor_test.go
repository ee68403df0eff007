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
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/doctor"
)

// A stack is broken in as many ways as are real on this machine, one after the other: the doctor names exactly
// that one, with its evidence, and what it says to do is done as it says it, and mends it.
//
//suite:thorough
func TestDoctorOnContainers(t *testing.T) {
	t.Parallel() // these wait more than they work
	disk := newMedium(t, true)
	disk.run("truncate", "--size", "96M", disk.beneath)
	disk.run("mkfs.ext4", "-q", "-F", "-N", "512", disk.beneath)
	disk.mount()
	s := prodStack(t, map[string]any{"runtime": "containers", "backend.replicas": 2, "backend.workers": 1, "volumes.mount": disk.at})
	s.ownImage()
	d := s.doctor()

	d.fails("containers", "nothing of the stack is on this engine")
	s.up()
	d.wellAtOnce()
	backend, nginx := name(s, "backend"), name(s, "nginx")
	network := s.prefix() + "-backend"

	d.breaks("containers", backend+" is exited, exit code 137", "docker", "kill", backend)
	d.breaks("containers", backend+" is paused", "docker", "pause", backend)
	d.breaks("networks", backend+" is not on "+network, "docker", "network", "disconnect", network, backend)
	s.docker("network", "disconnect", network, nginx)
	d.breaks("networks", "without its name nginx", "docker", "network", "connect", network, nginx)
	d.breaks("orphans", s.prefix()+"-left", "docker", "run", "--detach", "--name", s.prefix()+"-left", "--label", "tarot.stack="+s.prefix(), "--label", "tarot.workload=backend",
		"--network", "none", "--entrypoint", "sleep", "nginx:1.30", "3600")
	d.breaks("state", "container "+s.prefix()+"-backend-", "docker", "rm", "--force", backend)

	// Files, as root of this machine.
	data := filepath.Join(s.volumePlace(s.volume("data")), "prod.db")
	d.breaks("data-writable", "may not write /app/data/prod.db", "chmod", "0", data)
	static := s.volumePlace(s.volume("static"))
	d.breaks("static", "may not read", "chmod", "--recursive", "go-rwx", static)
	d.breaks("static", "there is no file in nginx's", "sh", "-c", "mv "+static+"/r "+static+"/.away", "mv "+static+"/.away "+static+"/r")
	filler := filepath.Join(disk.at, "filler")
	d.breaks("disk", "the volume "+s.volume("data")+" is full", "sh", "-c", "dd if=/dev/zero of="+filler+" bs=1M || sync", "rm "+filler)
	d.breaks("inodes", "the volume "+s.volume("data")+" is full", "sh", "-c", "mkdir "+filler+" && cd "+filler+" && i=0; while touch $i 2>/dev/null; do i=$((i+1)); done; sync", "rm -r "+filler)

	// nginx: another configuration in its volume than the one that it runs, and a certificate that has ended.
	conf := s.volumePlace(s.prefix() + "-nginx-configuration")
	deployed, err := os.Readlink(filepath.Join(conf, "current"))
	if err != nil {
		t.Fatal(err)
	}
	d.breaks("nginx-configuration", "was deployed", "sh", "-c", "cd "+conf+` && old=$(readlink current) && cp -a $old 0123456789ab && printf 0123456789ab >0123456789ab/name &&
		sed -i "s/$old/0123456789ab/g" 0123456789ab/nginx.conf && ln -sfn 0123456789ab current`)
	d.mend("ln -sfn " + deployed + " " + filepath.Join(conf, "current") + " && docker kill -s HUP " + nginx)
	certificate := filepath.Join(conf, "current")
	writeEnded(t, certificate)
	s.docker("kill", "--signal", "HUP", nginx)
	d.fails("certificate", "it has ended on 2020-01-02")
	d.mend("cd " + certificate + " && cp tls_certificate.before tls_certificate && cp tls_key.before tls_key && docker kill -s HUP " + nginx)
	d.well()

	// An image that is gone, and a release that does not start for a wrong variable, in its own words.
	image := s.outputs()["image"].(string)
	d.breaks("image", image, "docker", "rmi", "--force", image)
	s.config("backend.environment", map[string]any{"READINGS_PER_MINUTE": "many"})
	if said, err := s.run("up", "--yes", "--skip-preview"); err == nil {
		t.Errorf("it has come up with a wrong variable\n%s", said)
	}
	mend := d.fails("jobs", "READINGS_PER_MINUTE")
	s.config("backend.environment", map[string]any{})
	d.mend(mend)
	d.well()

	// What it does without.
	r, code := d.look("PULUMI_BACKEND_URL=file:///nowhere")
	if !slices.Equal(r.IDs(checks.Fail), []string{"pulumi"}) || code != 1 || !slices.Contains(r.IDs(checks.Unknown), "state") || len(r.IDs(checks.Pass)) < 20 {
		t.Errorf("without its state: exit code %d, %+v", code, r)
	}
	r, code = d.look("DOCKER_HOST=unix://" + filepath.Join(t.TempDir(), "none.sock"))
	if !slices.Equal(r.IDs(checks.Fail), []string{"engine"}) || code != 1 || len(r.Checks) != len(doctor.IDs()) || len(r.IDs(checks.Unknown)) < 30 {
		t.Errorf("without an engine: exit code %d, %+v", code, r)
	}

	// Too little memory, for a moment. It is told for a while, so it is the last.
	backend = name(s, "backend")
	if said, err := exec.Command("docker", "exec", backend, "python", "-c", "b = b'x' * (2 << 30)").CombinedOutput(); err == nil {
		t.Errorf("2 GB fit into %s: %s", backend, said)
	}
	d.fails("out-of-memory", backend)
}

//suite:thorough
func TestDoctorOnSwarm(t *testing.T) {
	t.Parallel() // these wait more than they work
	s := prodStack(t, map[string]any{"runtime": "swarm", "backend.replicas": 2, "backend.workers": 1})
	s.ownImage()
	d := s.doctor()
	s.up()
	d.wellAtOnce()

	service := s.prefix() + "-backend"
	d.breaks("tasks", "no suitable node", "docker", "service", "update", "--detach", "--constraint-add", "node.labels.nowhere==yes", service)
	d.breaks("state", "service "+s.prefix()+"-nginx", "docker", "service", "rm", s.prefix()+"-nginx")
	data := filepath.Join(s.volumePlace(s.volume("data")), "prod.db")
	d.breaks("data-writable", "may not write /app/data/prod.db", "chmod", "0", data)
	d.breaks("orphans", s.prefix()+"-left", "docker", "run", "--detach", "--name", s.prefix()+"-left", "--label", "tarot.stack="+s.prefix(), "--label", "tarot.workload=backend",
		"--network", "none", "--entrypoint", "sleep", "nginx:1.30", "3600")
	image := s.outputs()["image"].(string)
	d.breaks("image", image, "docker", "rmi", "--force", image)

	lock := s.prefix() + "-restoring"
	s.docker("volume", "create", "--label", "tarot.stack="+s.prefix(), "--label", "tarot.lock=restoring", "--label", "tarot.run=20200101-000000-e2e", "--label", "tarot.owner=somebody",
		"--label", "tarot.what=move-to-postgres", "--label", "tarot.since=2020-01-01T00:00:00Z", lock)
	if mend := d.fails("unfinished", "the move of the database to PostgreSQL by somebody"); mend != "make database-move STACK="+s.name+" CONTINUE=yes" {
		t.Errorf("an interrupted move is mended by %q", mend)
	}
	s.docker("volume", "rm", lock)
	d.well()
}

// examined goes by the doctor: nothing of a good stack fails, and all can be told.
func (s *stack) examined() { s.t.Helper(); s.doctor().well() }

// patient is a stack whose doctor is asked.
type patient struct {
	*stack
	tool string
}

func (s *stack) doctor() patient {
	s.t.Helper()
	s.operator() // builds it
	return patient{s, filepath.Join(s.dir, "build-stack")}
}

// look asks once.
func (d patient) look(environment ...string) (r checks.Report, code int) {
	d.t.Helper()
	cmd := exec.Command(d.tool, "doctor", d.name, "--json")
	cmd.Dir, cmd.Env = d.dir, append(slices.Clone(d.env), environment...)
	begun := time.Now()
	said, err := cmd.Output()
	if jsonErr := json.Unmarshal(said, &r); jsonErr != nil {
		d.t.Fatalf("doctor: %v, %v: %s", err, jsonErr, said)
	}
	d.t.Logf("doctor: %.1f s, fails %q, warns %q, unknown %q", time.Since(begun).Seconds(), r.IDs(checks.Fail), r.IDs(checks.Warn), r.IDs(checks.Unknown))
	return r, cmd.ProcessState.ExitCode()
}

// patience is longer than an engine takes to find a replica unhealthy, or healthy again.
const patience = 90 * time.Second

// fails awaits that one check fails, and that alone, and returns what is said to mend it.
func (d patient) fails(id, evidence string) (mend string) {
	d.t.Helper()
	var r checks.Report
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Second) {
		var code int
		if r, code = d.look(); slices.Equal(r.IDs(checks.Fail), []string{id}) && code == 1 && strings.Contains(r.Checks[0].Found, evidence) {
			break
		}
		if time.Now().After(end) {
			d.t.Errorf("broken: %s with %q is not what fails: %+v", id, evidence, r.Checks)
			return ""
		}
	}
	mend, page, _ := strings.Cut(r.Checks[0].Mend, "\n")
	if page != doctor.Page+"#"+id {
		d.t.Errorf("%s is explained in %q", id, page)
	}
	return mend
}

// breaks does something to the stack, and what the doctor says to it; or, where that is a person's to find out, the
// repair that is given after the words of a shell.
func (d patient) breaks(id, evidence string, words ...string) {
	d.t.Helper()
	repair := ""
	if words[0] == "sh" && len(words) > 3 {
		words, repair = words[:3], words[3]
	}
	if said, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		d.t.Fatalf("%q: %v: %s", words, err, said)
	}
	mend := d.fails(id, evidence)
	if repair != "" {
		mend = repair
	}
	d.mend(mend)
	d.well()
}

func (d patient) mend(command string) {
	d.t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = d.dir, d.env
	if said, err := cmd.CombinedOutput(); err != nil {
		d.t.Errorf("%s: %v: %s", command, err, said)
	}
	d.t.Logf("mended by: %s", command)
}

// well awaits that nothing fails and all is known.
func (d patient) well() {
	d.t.Helper()
	var r checks.Report
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Second) {
		var code int
		if r, code = d.look(); code == 0 && !r.Has(checks.Fail) && !r.Has(checks.Unknown) {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("it is not well again: %+v", r.Checks)
		}
	}
}

// wellAtOnce is a stack that nobody has touched: nothing to tell, but where this machine's own way out is
// narrower than its engine's networks.
func (d patient) wellAtOnce() {
	d.t.Helper()
	r, code := d.look()
	warns := slices.DeleteFunc(r.IDs(checks.Warn), func(id string) bool { return id == "mtu" && doctor.Uplink() < 1500 })
	if code != 0 || r.Has(checks.Fail) || r.Has(checks.Unknown) || len(warns) > 0 {
		d.t.Errorf("of a stack that nobody has touched: exit code %d, %+v", code, r.Checks)
	}
}

// name is a container's, of a workload.
func name(s *stack, workload string) string {
	s.t.Helper()
	return strings.TrimPrefix(s.containers(workload)[s.one(workload)].Name, "/")
}

// ownImage has the stack have an image that no other one has: it is to be removed.
func (s *stack) ownImage() {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, s.app, "tarot", "doctor.txt"), []byte(s.id), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) volumePlace(volume string) string {
	s.t.Helper()
	return dockerLine(s.t, "volume", "inspect", "--format", "{{if .Options.device}}{{.Options.device}}{{else}}{{.Mountpoint}}{{end}}", volume)
}

// writeEnded puts a certificate that has ended in the place of nginx's, and keeps that beside it.
func writeEnded(t *testing.T, folder string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ended := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)}
	certificate, err := x509.CreateCertificate(rand.Reader, ended, ended, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"tls_certificate": {Type: "CERTIFICATE", Bytes: certificate}, "tls_key": {Type: "PRIVATE KEY", Bytes: private}} {
		path := filepath.Join(folder, file)
		before, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path+".before", before, 0o600)
		}
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(block), 0o444)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
