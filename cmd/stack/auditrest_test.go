package main

import (
	"testing"

	"tarot-platform/internal/audit"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

func TestWhatIsSaidOfDataAtRest(t *testing.T) {
	plain := engine.Medium{Filesystem: "ext4", Source: "/dev/sda1"}
	sealed := engine.Medium{Filesystem: "ext4", Source: "/dev/mapper/secure", Encrypted: "encrypted by dm-crypt"}
	for name, test := range map[string]struct {
		at, mounted engine.Medium
		wants       config.Volumes
		want        audit.Result
	}{
		"nobody asks":                {plain, engine.Medium{}, config.Volumes{}, audit.Exception},
		"nobody asks, and it is":     {sealed, engine.Medium{}, config.Volumes{}, audit.Pass},
		"asked, and it is not":       {plain, engine.Medium{}, config.Volumes{Encrypted: true}, audit.Fail},
		"on the mount":               {sealed, sealed, config.Volumes{Mount: "/srv", Encrypted: true}, audit.Pass},
		"beside the mount":           {plain, sealed, config.Volumes{Mount: "/srv"}, audit.Fail},
		"beside it, but encrypted":   {sealed, engine.Medium{Source: "/dev/mapper/other"}, config.Volumes{Mount: "/srv"}, audit.Fail},
		"on a mount in clear":        {plain, plain, config.Volumes{Mount: "/srv"}, audit.Exception},
		"on a mount that should not": {plain, plain, config.Volumes{Mount: "/srv", Encrypted: true}, audit.Fail},
	} {
		if f := atRest("v", test.at, test.mounted, test.wants); f.Result != test.want || f.Result != audit.Pass && f.Found == "" {
			t.Errorf("%s: %+v, want %s", name, f, test.want)
		}
	}
	if f := audit.OfCore("nginx-1", "unlimited", "core"); f.Result != audit.Exception || f.Why == "" || audit.OfCore("nginx-1", "0", "core").Result != audit.Pass {
		t.Errorf("%+v", f)
	}
}
