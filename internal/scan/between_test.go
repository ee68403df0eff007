package scan

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tarot-platform/internal/config"
)

func TestWhatANewerImageMends(t *testing.T) {
	// Its answers are by the image that it is asked for, and it has to be told the platform.
	program := filepath.Join(t.TempDir(), "grype")
	script := `#!/bin/sh
case "$1 $2 $3" in
"registry:a@old --platform linux/arm64") found='"id": "CVE-1", "severity": "Low"}, "artifact": {"name": "zlib", "version": "1"}}, {"vulnerability": {"id": "CVE-2", "severity": "Critical"}, "artifact": {"name": "openssl", "version": "3"}}, {"vulnerability": {"id": "CVE-3", "severity": "High"}, "artifact": {"name": "curl", "version": "8"' ;;
"registry:a@new --platform linux/arm64") found='"id": "CVE-3", "severity": "High"}, "artifact": {"name": "curl", "version": "9"}}, {"vulnerability": {"id": "CVE-4", "severity": "Medium"}, "artifact": {"name": "curl", "version": "9"' ;;
*) echo "unauthorized: $*" >&2; exit 1 ;;
esac
echo '{"matches": [{"vulnerability": {'"$found"'}}], "descriptor": {"name": "grype", "db": {"status": {"built": "2026-11-01T00:00:00Z", "valid": true}}}}'
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(programVariable, program)
	d, err := Between(t.Context(), "a@old", "a@new", "linux/arm64", config.Scan{DatabaseDays: 5})
	want := []string{"mends CVE-2 (critical) in openssl, CVE-1 (low) in zlib", "brings CVE-4 (medium) in curl"}
	if got := d.Lines(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if same, err := Between(t.Context(), "a@old", "a@old", "linux/arm64", config.Scan{DatabaseDays: 5}); err != nil || !slices.Equal(same.Lines(), []string{"no vulnerability more or less is known"}) {
		t.Errorf("%q, %v", same.Lines(), err)
	}
	if d, err := Between(t.Context(), "a@old", "b@gone", "linux/arm64", config.Scan{DatabaseDays: 5}); err == nil || len(d.Mended) > 0 {
		t.Errorf("an image that nobody has: %+v, %v", d, err)
	}
	t.Setenv(programVariable, filepath.Join(t.TempDir(), "none"))
	if _, err := Between(t.Context(), "a@old", "a@new", "linux/arm64", config.Scan{}); err == nil {
		t.Error("without a grype it can be told")
	}
}
