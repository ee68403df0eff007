package engine

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/system"
)

func TestOldEnginesHideWhoComesByIPv6(t *testing.T) {
	for version, told := range map[string]bool{"20.10.24+dfsg1": true, "26.1.5": true, "27.0.1": false, "29.1.2": false, "dev": false} {
		e := &Engine{Info: system.Info{ServerVersion: version}}
		if got := e.WarnIPv6(Needs{IPv6: true}); (got != "") != told || told && !strings.Contains(got, version) {
			t.Errorf("%s: %q", version, got)
		}
		if got := e.WarnIPv6(Needs{}); got != "" {
			t.Errorf("%s, and nobody comes by it: %q", version, got)
		}
	}
}
