package product

import (
	"os"
	"strings"
	"testing"
)

func TestVersionChangelogAndTagAgree(t *testing.T) {
	const released = "# Changelog\n\n## Unreleased\n\n## 1.4.0 (2026-11-28)\n\n- new\n\n## 1.3.9 (2026-11-01)\n\n- old\n"
	open := strings.Replace(released, "## Unreleased\n", "## Unreleased\n\n- something\n", 1)
	for _, test := range []struct{ name, version, changelog, tag, want string }{
		{"a release", "1.4.0\n", released, "v1.4.0", ""},
		{"work goes on", "1.5.0\n", open, "", ""},
		{"the day after", "1.4.0\n", open, "", ""},
		{"nothing is released yet", "0.1.0\n", "# Changelog\n\n## Unreleased\n\n- all\n", "", ""},
		{"no version", "1.4\n", released, "", `VERSION is "1.4"`},
		{"with a v", "v1.4.0\n", released, "", `VERSION is "v1.4.0"`},
		{"another tag", "1.4.0\n", released, "v1.5.0", "the tag is \"v1.5.0\", and VERSION is 1.4.0"},
		{"a tag without a section", "1.5.0\n", released, "v1.5.0", `no section "## 1.5.0`},
		{"a tag with something unreleased", "1.4.0\n", open, "v1.4.0", "something is below Unreleased"},
		{"back", "1.3.9\n", released, "", "has a release 1.4.0 already"},
		{"numbers are numbers", "1.10.0\n", released, "", ""},
		{"no Unreleased", "1.4.0\n", "# Changelog\n", "", "no section Unreleased"},
		{"Unreleased is not the first", "1.4.0\n", "## 1.4.0 (2026-11-28)\n## Unreleased\n", "", "Unreleased first"},
		{"no day", "1.4.0\n", "## Unreleased\n## 1.4.0\n", "", `the section "1.4.0"`},
		{"no such day", "1.4.0\n", "## Unreleased\n## 1.4.0 (2026-02-30)\n", "", "no such day"},
		{"the order", "1.4.0\n", "## Unreleased\n## 1.3.0 (2026-11-01)\n## 1.4.0 (2026-11-28)\n", "", "the newest first"},
	} {
		err := Check(test.version, test.changelog, test.tag)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestThisProjectAgreesWithItself(t *testing.T) {
	version, err := os.ReadFile("../../" + File)
	if err != nil {
		t.Fatal(err)
	}
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(string(version), string(changelog), ""); err != nil {
		t.Error(err)
	}
}
