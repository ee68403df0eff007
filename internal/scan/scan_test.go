package scan

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/config"
	"tarot-platform/internal/sbom"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// h11 has a critical vulnerability that is mended, openssl a high one that is not, and perl one
// that nobody minds.
var known = []Finding{
	{ID: "GHSA-vqfr-h8mv-ghfj", Aliases: []string{"CVE-2025-43859"}, Severity: "Critical", Package: "h11", Version: "0.14.0", Fixed: []string{"0.16.0"}},
	{ID: "CVE-2026-1", Severity: "High", Package: "openssl", Version: "3.0.19", Fixed: []string{}},
	{ID: "CVE-2011-4116", Severity: "Negligible", Package: "perl-base", Version: "5.36", Fixed: []string{}},
}

func TestWhatCounts(t *testing.T) {
	accept := func(id, until, in string) config.Scan {
		return config.Scan{FailOn: "critical", Ignore: map[string]config.Accepted{id: {Reason: "not reached", Until: until, Package: in}}}
	}
	for name, test := range map[string]struct {
		settings config.Scan
		outcome  Outcome
		counts   []string
		accepted int
		others   map[string]int
		notes    int
	}{
		"fixable criticals":        {config.Scan{FailOn: "critical"}, Found, []string{"GHSA-vqfr-h8mv-ghfj"}, 0, map[string]int{"high": 1, "negligible": 1}, 0},
		"high without a fix":       {config.Scan{FailOn: "high"}, Found, []string{"GHSA-vqfr-h8mv-ghfj"}, 0, map[string]int{"high": 1, "negligible": 1}, 0},
		"high, fixed or not":       {config.Scan{FailOn: "high", Unfixed: true}, Found, []string{"GHSA-vqfr-h8mv-ghfj", "CVE-2026-1"}, 0, map[string]int{"negligible": 1}, 0},
		"nothing":                  {config.Scan{FailOn: "off"}, Clean, nil, 0, map[string]int{"critical": 1, "high": 1, "negligible": 1}, 0},
		"accepted by its name":     {accept("GHSA-vqfr-h8mv-ghfj", "2026-11-27", ""), Clean, nil, 1, map[string]int{"high": 1, "negligible": 1}, 0},
		"accepted by another name": {accept("CVE-2025-43859", "2027-01-31", "h11"), Clean, nil, 1, map[string]int{"high": 1, "negligible": 1}, 0},
		"accepted elsewhere":       {accept("CVE-2025-43859", "2027-01-31", "hpack"), Found, []string{"GHSA-vqfr-h8mv-ghfj"}, 0, map[string]int{"high": 1, "negligible": 1}, 1},
		"accepted no more":         {accept("CVE-2025-43859", "2026-11-26", ""), Found, []string{"GHSA-vqfr-h8mv-ghfj"}, 0, map[string]int{"high": 1, "negligible": 1}, 0},
		"of what is not there":     {accept("CVE-2020-1", "2027-01-31", ""), Found, []string{"GHSA-vqfr-h8mv-ghfj"}, 0, map[string]int{"high": 1, "negligible": 1}, 1},
		"of what counts not":       {accept("CVE-2026-1", "2027-01-31", ""), Found, []string{"GHSA-vqfr-h8mv-ghfj"}, 0, map[string]int{"high": 1, "negligible": 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := judge(Result{FailOn: test.settings.FailOn, Unfixed: test.settings.Unfixed}, slices.Clone(known), test.settings, now)
			var counts []string
			for _, f := range r.Findings {
				counts = append(counts, f.ID)
			}
			if r.Outcome != test.outcome || !slices.Equal(counts, test.counts) || len(r.Accepted) != test.accepted || !reflect.DeepEqual(r.Others, test.others) || len(r.Notes) != test.notes {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAnExceptionThatHasEndedSaysSo(t *testing.T) {
	r := judge(Result{FailOn: "critical"}, slices.Clone(known), config.Scan{FailOn: "critical", Ignore: map[string]config.Accepted{"CVE-2025-43859": {Reason: "not reached", Until: "2026-11-26"}}}, now)
	for _, want := range []string{"1 known vulnerability, critical that there is a fix for", "GHSA-vqfr-h8mv-ghfj, CVE-2025-43859 (critical) in h11 0.14.0, mended in 0.16.0", "accepted until 2026-11-26: not reached"} {
		if !strings.Contains(r.Line(), want) {
			t.Errorf("%q has no %q", r.Line(), want)
		}
	}
}

func TestTheWorstOfSeveralCounts(t *testing.T) {
	for _, test := range []struct {
		all  []Outcome
		want Outcome
	}{{[]Outcome{Clean, Clean}, Clean}, {[]Outcome{Clean, NotScanned}, NotScanned}, {[]Outcome{NotScanned, Found}, Found}, {nil, NotScanned}} {
		var results []Result
		for _, o := range test.all {
			results = append(results, Result{Outcome: o})
		}
		if got := Worst(results); got != test.want {
			t.Errorf("%v: %s", test.all, got)
		}
	}
}

// document has one package, or none.
func document(t *testing.T, packages ...sbom.Package) []byte {
	t.Helper()
	text, err := sbom.Write(sbom.Contents{Packages: packages}, sbom.Image{Name: "app:1", ID: "sha256:11"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var h11 = sbom.Package{Type: "pypi", Name: "h11", Version: "0.14.0"}

// program is a grype that does what the shell is told.
func program(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "grype")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(programVariable, file)
}

const status = `"descriptor":{"name":"grype","version":"0.121.2","db":{"status":{"built":"2026-11-26T00:00:00Z","valid":true}}}`

func TestWhatCouldNotBeScannedIsNeverClean(t *testing.T) {
	for name, test := range map[string]struct {
		grype    string
		document []byte
		reason   string
	}{
		"no database":       {`echo "[0000] ERROR failed to load vulnerability db: database does not exist" >&2; exit 1`, document(t, h11), "grype: [0000] ERROR failed to load vulnerability db: database does not exist (tarot:build.scan.database names"},
		"silence":           {`exit 1`, document(t, h11), "grype: exit status 1"},
		"nonsense":          {`echo no JSON`, document(t, h11), "what grype says can't be read"},
		"no date":           {`echo '{"matches":[],"descriptor":{"name":"grype"}}'`, document(t, h11), "does not say of when its database is"},
		"nothing to scan":   {`echo '{"matches":[],` + status + `}'`, document(t), "no package is known"},
		"no document":       {`exit 0`, []byte("{"), "the SBOM: "},
		"a program of none": {"", document(t, h11), "can't be run"},
	} {
		t.Run(name, func(t *testing.T) {
			if program(t, test.grype); test.grype == "" {
				t.Setenv(programVariable, filepath.Join(t.TempDir(), "none"))
			}
			r := Of(t.Context(), "app:1", test.document, config.Scan{FailOn: "critical", DatabaseDays: 5}, now)
			if r.Outcome != NotScanned || !strings.Contains(r.Reason, test.reason) || !strings.Contains(r.Line(), "not scanned") {
				t.Errorf("%s: %s, want %s", r.Outcome, r.Reason, test.reason)
			}
		})
	}
	t.Setenv(programVariable, "")
	t.Setenv("TAROT_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	if r := Of(t.Context(), "app:1", document(t, h11), config.Scan{FailOn: "critical"}, now); r.Outcome != NotScanned || !strings.Contains(r.Reason, "make scanner") {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsKnownInPartIsCleanInPartAlone(t *testing.T) {
	program(t, `echo '{"matches":[],`+status+`}'`)
	text, err := sbom.Write(sbom.Contents{Packages: []sbom.Package{h11}, Unread: []string{"the packages of RPM"}}, sbom.Image{Name: "app:1", ID: "sha256:11"})
	if err != nil {
		t.Fatal(err)
	}
	if r := Of(t.Context(), "app:1", text, config.Scan{FailOn: "critical"}, now); r.Outcome != NotScanned || !strings.Contains(r.Reason, "RPM") {
		t.Errorf("%+v", r)
	}
	if r := Of(t.Context(), "app:1", document(t, h11), config.Scan{FailOn: "critical"}, now); r.Outcome != Clean || r.Database.Format(time.DateOnly) != "2026-11-26" || r.Scanner != "grype 0.121.2" {
		t.Errorf("%+v", r)
	}
}

// A rule in somebody's home would make of a finding none.
func TestGrypeHasTheStacksSettingsAlone(t *testing.T) {
	folder := t.TempDir()
	program(t, `env >`+folder+`/env; echo "$@" >`+folder+`/args; echo '{"matches":[],`+status+`}'`)
	t.Setenv("GRYPE_IGNORE", "all")
	t.Setenv("GRYPE_DB_CA_CERT", "/etc/ours.pem")
	for database, want := range map[string][]string{
		"/srv/grype":             {"GRYPE_DB_CACHE_DIR=/srv/grype", "GRYPE_DB_AUTO_UPDATE=false"},
		"https://mirror.example": {"GRYPE_DB_UPDATE_URL=https://mirror.example"},
	} {
		Of(t.Context(), "app:1", document(t, h11), config.Scan{FailOn: "critical", Database: database, DatabaseDays: 90}, now)
		text, err := os.ReadFile(filepath.Join(folder, "env"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for _, line := range append(want, "GRYPE_DB_MAX_ALLOWED_BUILT_AGE=2160h", "GRYPE_DB_CA_CERT=/etc/ours.pem") {
			if !slices.Contains(lines, line) {
				t.Errorf("%s: no %s", database, line)
			}
		}
		if slices.Contains(lines, "GRYPE_IGNORE=all") {
			t.Error("somebody's rules count")
		}
	}
	if args, _ := os.ReadFile(filepath.Join(folder, "args")); !strings.Contains(string(args), "--config ") {
		t.Errorf("%s", args)
	}
}

func TestAVulnerabilityOfTwoDatabasesCountsOnce(t *testing.T) {
	program(t, `cat <<'END'
{"matches":[
{"vulnerability":{"id":"GHSA-vqfr-h8mv-ghfj","severity":"Critical","fix":{"versions":["0.16.0"],"state":"fixed"}},"relatedVulnerabilities":[{"id":"CVE-2025-43859"}],"artifact":{"name":"h11","version":"0.14.0","type":"python"}},
{"vulnerability":{"id":"GHSA-vqfr-h8mv-ghfj","severity":"Critical","fix":{"versions":[],"state":"unknown"}},"artifact":{"name":"h11","version":"0.14.0","type":"python"}},
{"vulnerability":{"id":"CVE-2026-1","severity":"Critical","fix":{"versions":["9"],"state":"wont-fix"}},"artifact":{"name":"openssl","version":"3","type":"deb"}}],
`+status+`}
END`)
	r := Of(t.Context(), "app:1", document(t, h11), config.Scan{FailOn: "critical"}, now)
	if r.Outcome != Found || len(r.Findings) != 1 || r.Findings[0].Fixed[0] != "0.16.0" || !slices.Equal(r.Findings[0].Aliases, []string{"CVE-2025-43859"}) || r.Others["critical"] != 1 {
		t.Errorf("%+v", r)
	}
}
