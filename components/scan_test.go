package components

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/release"
	"tarot-platform/internal/scan"
)

// finding is a scanner that always finds the same.
func finding(outcome scan.Outcome) Scanner {
	return func(_ context.Context, image string, _ []byte, settings config.Scan) scan.Result {
		r := scan.Result{Image: image, Outcome: outcome, FailOn: settings.FailOn, Reason: "there is no grype"}
		if outcome == scan.Found {
			r.Findings = []scan.Finding{{ID: "CVE-2025-43859", Severity: "Critical", Package: "h11", Version: "0.14.0", Fixed: []string{"0.16.0"}}}
		}
		return r
	}
}

// What runs is what users have: nothing of the release is started, and nothing is recorded.
func TestAReleaseWithKnownVulnerabilitiesIsStoppedBeforeAnythingOfItRuns(t *testing.T) {
	inProject(t)
	for name, test := range map[string]struct {
		outcome scan.Outcome
		change  func(*config.Config)
		known   bool
		stopped string
	}{
		"clean":                     {scan.Clean, nil, false, ""},
		"found":                     {scan.Found, nil, false, "CVE-2025-43859 (critical) in h11 0.14.0, mended in 0.16.0"},
		"found, in one that runs":   {scan.Found, nil, true, ""},
		"found, and nobody asked":   {scan.Found, func(c *config.Config) { c.Build.Scan.FailOn = config.ScanOff }, false, ""},
		"not scanned":               {scan.NotScanned, nil, false, ""},
		"not scanned, and required": {scan.NotScanned, func(c *config.Config) { c.Build.Scan.Required = true }, false, "not scanned for vulnerabilities: there is no grype"},
	} {
		for _, of := range []string{"containers", "swarm"} {
			t.Run(name+" in "+of, func(t *testing.T) {
				cfg := stack(t, "prod", func(c *config.Config) { c.Runtime = of })
				if test.change != nil {
					test.change(&cfg)
				}
				docker := &fakeEngine{scan: finding(test.outcome)}
				if test.known {
					docker.releases = []release.Release{{Name: released(t, cfg)}}
				}
				r := deploy(cfg, &recorder{stage: up}, docker)
				started := len(r.find("Service")) > 0 || slices.ContainsFunc(r.find("Container"), func(x registration) bool { return x.Name == "tarot-test-backend-1" })
				if test.stopped == "" {
					if r.err != nil || !started {
						t.Fatalf("started %v, %v", started, r.err)
					}
				} else if r.err == nil || !strings.Contains(r.err.Error(), test.stopped) || started {
					t.Fatalf("started %v, %v", started, r.err)
				}
				if len(docker.inventories) != 1 {
					t.Errorf("%d images have an SBOM", len(docker.inventories))
				}
				if scanned := !test.known && cfg.Build.Scan.FailOn != config.ScanOff; (len(docker.scans) == 1) != scanned {
					t.Errorf("%v is kept", docker.scans)
				}
				warned := strings.Contains(strings.Join(r.warnings.texts, "\n"), "not scanned for vulnerabilities")
				if warned != (test.outcome == scan.NotScanned && test.stopped == "") {
					t.Errorf("warned %v: %v", warned, r.warnings.texts)
				}
			})
		}
	}
}

// released is the name of the release that a configuration makes.
func released(t *testing.T, cfg config.Config) string {
	t.Helper()
	r := succeed(t, cfg, up)
	name, _ := r.outputs["release"].Value.(string)
	if name == "" {
		t.Fatal("no release is told")
	}
	return name
}

func TestARollbackIsNotHeldUp(t *testing.T) {
	inProject(t)
	docker := &fakeEngine{scan: finding(scan.Found)}
	cfg := stack(t, "prod", func(c *config.Config) { c.Backend.Image = "tarot-backend:00000000000000aa" })
	if r := deployAs(cfg, &recorder{stage: up}, docker, true); r.err != nil {
		t.Fatal(r.err)
	}
}

// The document is for whoever asks later.
func TestAnImageThatCanNotBeReadGoesOut(t *testing.T) {
	inProject(t)
	cfg := stack(t, "dev", func(c *config.Config) { c.Build.Scan.FailOn = "critical" })
	image, _ := succeed(t, cfg, up).outputs["image"].Value.(string)
	docker := &fakeEngine{failures: map[string]error{"files of " + image: errors.New("no such layer")}, scan: finding(scan.Clean)}
	r := deploy(cfg, &recorder{stage: up}, docker)
	if said := strings.Join(r.warnings.texts, "\n"); r.err != nil || !strings.Contains(said, "has no SBOM: no such layer") || !strings.Contains(docker.scans[image], `"not scanned"`) {
		t.Errorf("%v, %s, %v", r.err, said, docker.scans)
	}
}

func TestImagesSayOfWhichCommitTheyAre(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod")
	labels := func(docker *fakeEngine) any {
		r := deploy(cfg, &recorder{stage: up}, docker)
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.get(t, "RemoteImage", "backend-image").at("build", "label")
	}
	plain := succeed(t, cfg, up)
	image, _ := plain.outputs["image"].Value.(string)
	const revision, built = "org.opencontainers.image.revision", "tarot.built"
	now := map[string]string{built: "yes", revision: "now"}
	if got := labels(&fakeEngine{origin: now, missing: []string{image}}); !reflect.DeepEqual(got, map[string]any{built: "yes", revision: "now"}) {
		t.Errorf("a new image: %v", got)
	}
	// The next commit changes nothing in it.
	if got := labels(&fakeEngine{origin: now, labels: map[string]string{built: "yes", revision: "first", "maintainer": "somebody"}}); !reflect.DeepEqual(got, map[string]any{built: "yes", revision: "first"}) {
		t.Errorf("one that is there: %v", got)
	}
	if got := labels(&fakeEngine{origin: now, labels: map[string]string{revision: "of the base image"}}); got != nil {
		t.Errorf("one of before there were labels: %v", got)
	}
	if got := labels(&fakeEngine{missing: []string{image}}); got != nil {
		t.Errorf("nobody knows a commit: %v", got)
	}
}
