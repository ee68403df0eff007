package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/release"
	"tarot-platform/internal/scan"
)

func TestAScanIsToldForPeople(t *testing.T) {
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	h11 := scan.Finding{ID: "CVE-2025-43859", Severity: "Critical", Package: "h11", Version: "0.14.0", Fixed: []string{"0.16.0"}}
	ended := h11
	ended.Reason, ended.Until = "not reached", "2026-11-01"
	report := scanned{Stack: "prod", Release: "r0123456789", Outcome: scan.Found, Images: []scan.Result{
		{Image: "app:1", Outcome: scan.Found, FailOn: "critical", Database: day, Scanner: "grype 0.121.2", Packages: 139, Findings: []scan.Finding{h11, ended}},
		{Image: "app:2", Outcome: scan.Clean, FailOn: "critical", Database: day, Others: map[string]int{"high": 2}, Accepted: []scan.Finding{h11}, Notes: []string{"a note"}},
		{Image: "app:3", Outcome: scan.NotScanned, Reason: "there is no grype"},
	}}
	var text strings.Builder
	if err := report.write(&text); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(text.String()), " ")
	for _, want := range []string{"prod release r0123456789: found", "! 2 known vulnerabilities, critical that there is a fix for (database of 2026-11-26)",
		"139 packages, by grype 0.121.2", "CVE-2025-43859 (critical) in h11 0.14.0, mended in 0.16.0", "(accepted until 2026-11-01: not reached): that is over",
		"no known vulnerability, critical that there is a fix for (database of 2026-11-26), 1 accepted; others: 2 high", "· a note", "? not scanned for vulnerabilities: there is no grype"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	for line := range strings.Lines(text.String()) {
		if len([]rune(line)) > 101 {
			t.Errorf("%d letters: %s", len([]rune(line)), line)
		}
	}
}

func TestAServiceMayHaveAnImageOfItsOwn(t *testing.T) {
	r := release.Release{Image: "app:1", Images: map[string]string{"worker": "worker:1"}}
	for service, want := range map[string]string{"": "app:1", "backend": "app:1", "worker": "worker:1"} {
		if got, err := imageOf(r, service); got != want || err != nil {
			t.Errorf("%s: %s, %v", service, got, err)
		}
	}
	if _, err := imageOf(r, "cron"); err == nil || !strings.Contains(err.Error(), `"cron"; allowed: backend, worker`) {
		t.Error(err)
	}
}

func TestTheScansSettingsAreReadWithoutPulumi(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("Pulumi.prod.yaml", []byte("config:\n  tarot:adminPassword:\n    secure: v1:abc\n  tarot:build:\n    scan:\n      failOn: high\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := deployed{name: "prod"}
	if got, err := d.scanSettings(); err != nil || got.FailOn != "high" || got.DatabaseDays != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	d.name = "other"
	if _, err := d.scanSettings(); err == nil {
		t.Error("a file that is not there says nothing")
	}
}
