//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tarot-platform/internal/scan"
)

// The real grype on a real image, with a database that knows of one vulnerability.
//
//suite:thorough
func TestScanOfARelease(t *testing.T) {
	s := prodStack(t, map[string]any{"runtime": "containers", "backend.replicas": 1, "nginx.tls.mode": "off"})
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", s.dir, "-c", "user.name=me", "-c", "user.email=me@example.com"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func() string {
		git("add", "app", filepath.Base(s.configFile()))
		git("commit", "--quiet", "--allow-empty", "--message", "a commit")
		return git("rev-parse", "HEAD")
	}
	git("init", "--quiet")
	s.write("app/tarot/note.txt", s.name) // or it is an image that another test has made, of no commit
	first := commit()
	look := s.operator()
	asked := func(args ...string) (report struct {
		Outcome scan.Outcome
		Images  []scan.Result
	}, code int) {
		t.Helper()
		said, code := look(append([]string{"scan", s.name, "--json"}, args...)...)
		if err := json.Unmarshal([]byte(said), &report); err != nil || len(report.Images) == 0 {
			t.Fatalf("scan: exit code %d, %v\n%s", code, err, said)
		}
		return report, code
	}

	// Without a grype: told, and not in the way.
	s.env = append(s.env, "TAROT_GRYPE=/nowhere/grype")
	if said := s.up(); !strings.Contains(said, "not scanned for vulnerabilities") {
		t.Errorf("nobody is told:\n%s", said)
	}
	image := s.outputs()["image"].(string)
	if got := s.docker("inspect", "--format", `{{index .Config.Labels "org.opencontainers.image.revision"}}`, image); strings.TrimSpace(got) != first {
		t.Errorf("the image is of %q, want %s", got, first)
	}
	said, code := look("sbom", s.name)
	version := versionIn(t, said, "h11")
	if code != 0 || version == "" || !strings.Contains(said, `"bomFormat":"CycloneDX"`) {
		t.Fatalf("sbom: exit code %d\n%s", code, said[:min(len(said), 2000)])
	}
	if report, code := asked(); code != 2 || report.Outcome != scan.NotScanned {
		t.Errorf("without a grype: %d, %s", code, report.Outcome)
	}
	if said, _ := look("status", s.name); !strings.Contains(strings.Join(strings.Fields(said), " "), "not scanned for vulnerabilities") {
		t.Errorf("the status:\n%s", said)
	}
	commit() // with the stack's file, and nothing that is in the image
	s.unchanged()

	// One that counts: the release before stays.
	folder := t.TempDir()
	database := scannerWith(t, s, folder)
	s.config("build.scan.database", folder)
	database("<=" + version)
	running := s.one("backend")
	s.write("app/tarot/note.txt", s.name+", another release")
	said, err := s.run("up", "--yes", "--skip-preview")
	if err == nil || !strings.Contains(said, "this release does not go out") || !strings.Contains(said, "GHSA-test-test-test, CVE-2026-99999 (critical) in h11 "+version+", mended in 99.0") {
		t.Fatalf("%v\n%s", err, said)
	}
	if now := s.one("backend"); now != running {
		t.Errorf("users have %s, had %s", now, running)
	}
	if report, code := asked(); code != 1 || report.Outcome != scan.Found || report.Images[0].Findings[0].Package != "h11" {
		t.Errorf("the release that runs: %d, %+v", code, report)
	}

	// Accepted for a time; then the time is over.
	s.config("build.scan.ignore", map[string]any{"CVE-2026-99999": map[string]any{"reason": "nothing reaches it", "until": "2999-12-31"}})
	if said := s.up(); !strings.Contains(said, "1 accepted") {
		t.Errorf("nobody is told what was accepted:\n%s", said)
	}
	if report, code := asked(); code != 0 || len(report.Images[0].Accepted) != 1 {
		t.Errorf("accepted: %d, %+v", code, report)
	}
	s.config("build.scan.ignore", map[string]any{"CVE-2026-99999": map[string]any{"reason": "nothing reaches it", "until": "2026-01-01"}})
	if report, code := asked(); code != 1 || report.Images[0].Findings[0].Until != "2026-01-01" {
		t.Errorf("accepted no more: %d, %+v", code, report)
	}
	s.unchanged() // what is accepted is no part of the release, and one that runs is not held up

	database("<0.0.1")
	if report, code := asked(); code != 0 || report.Outcome != scan.Clean || report.Images[0].Packages < 20 {
		t.Errorf("clean: %d, %+v", code, report)
	}
	if err := os.RemoveAll(filepath.Join(folder, "6")); err != nil {
		t.Fatal(err)
	}
	if report, code := asked(); code != 2 || report.Outcome != scan.NotScanned {
		t.Errorf("without a database: %d, %+v", code, report)
	}
}

// versionIn is a component's of an SBOM.
func versionIn(t *testing.T, document, name string) string {
	t.Helper()
	var bom struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(document), &bom); err != nil {
		t.Fatalf("%v\n%s", err, document[:min(len(document), 2000)])
	}
	for _, c := range bom.Components {
		if c.Name == name {
			return c.Version
		}
	}
	return ""
}

// scannerWith gives the stack the grype that set-up builds, and returns what writes a database for
// it: h11 of some versions has a critical vulnerability.
func scannerWith(t *testing.T, s *stack, folder string) func(versions string) {
	t.Helper()
	if said, err := exec.Command("../../setup/scanner.sh").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	tool := filepath.Join(t.TempDir(), "testdb")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", tool, "./testdb")
	build.Dir, build.Env = "../../scanner", append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	s.env = append(s.env, "TAROT_GRYPE=")
	return func(versions string) {
		t.Helper()
		if said, err := exec.Command(tool, folder, "GHSA-test-test-test", "CVE-2026-99999", "critical", "python", "h11", versions, "99.0").CombinedOutput(); err != nil {
			t.Fatalf("testdb: %v\n%s", err, said)
		}
	}
}
