package preflight

import (
	"strings"
	"testing"

	"tarot-platform/internal/checks"
)

func TestOldEnginesHideWhoComesByIPv6(t *testing.T) {
	for version, want := range map[string]string{"20.10.24+dfsg1": checks.Warn, "26.1.5": checks.Warn, "27.0.1": checks.Pass, "29.1.2": checks.Pass, "dev": checks.Pass} {
		if got := IPv6(version); got.Result != want || !strings.Contains(got.Found, version) {
			t.Errorf("%s: %+v", version, got)
		}
	}
}
