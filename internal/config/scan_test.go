package config

import (
	"strings"
	"testing"
	"time"
)

func TestWhatIsDoneAboutVulnerabilities(t *testing.T) {
	inProject(t)
	for name, test := range map[string]struct{ scan, fault string }{
		"nothing said":          {`{}`, ""},
		"all":                   {`{"failOn":"low","unfixed":true,"required":true,"database":"https://mirror.example/v6/latest.json","databaseDays":90}`, ""},
		"a folder":              {`{"database":"/srv/grype"}`, ""},
		"accepted":              {`{"ignore":{"CVE-2025-43859":{"reason":"nginx parses the bodies","until":"2027-01-31","package":"h11"},"GHSA-vqfr-h8mv-ghfj":{"reason":"the same","until":"2027-01-31"}}}`, ""},
		"another severity":      {`{"failOn":"bad"}`, `tarot:build.scan.failOn: "bad" is not allowed; allowed: off, critical, high, medium or low`},
		"off and required":      {`{"failOn":"off","required":true}`, `tarot:build.scan.required: "true" is not allowed`},
		"a path from somewhere": {`{"database":"./grype"}`, `tarot:build.scan.database: "./grype" is not allowed`},
		"a password":            {`{"database":"https://me:s3cr3t@mirror.example"}`, `tarot:build.scan.database: `},
		"no age":                {`{"databaseDays":0}`, `tarot:build.scan.databaseDays: "0" is not allowed`},
		"no identifier":         {`{"ignore":{"h11":{"reason":"not used","until":"2027-01-31"}}}`, `tarot:build.scan.ignore: "h11" is not allowed; allowed: an object with reason and until`},
		"no reason":             {`{"ignore":{"CVE-2025-43859":{"until":"2027-01-31"}}}`, `tarot:build.scan.ignore.CVE-2025-43859.reason: "" is not allowed`},
		"no end":                {`{"ignore":{"CVE-2025-43859":{"reason":"not used"}}}`, `tarot:build.scan.ignore.CVE-2025-43859.until: "" is not allowed; allowed: a day such as 2027-01-31`},
		"no day":                {`{"ignore":{"CVE-2025-43859":{"reason":"not used","until":"2027-02-30"}}}`, `tarot:build.scan.ignore.CVE-2025-43859.until: "2027-02-30" is not allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(raw("build", `{"scan":`+test.scan+`}`))
			if test.fault == "" && err != nil || test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "s3cr3t")) {
				t.Errorf("%v, want %q", err, test.fault)
			}
		})
	}
}

func TestAnExceptionCountsToTheEndOfItsLastDay(t *testing.T) {
	a := Accepted{Until: "2026-12-31"}
	if a.Ended(time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)) || !a.Ended(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error("the last day is another one")
	}
}
