package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// While Pulumi writes a state in a folder, the CLI may find an empty file there. It is no
// answer, and one try later there is one.
func TestACLIThatCouldNotReadIsAskedAgain(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	t.Setenv("ASKED", asked)
	fakePulumi(t, `echo "$*" >>"$ASKED"
if [ "$(wc -l <"$ASKED")" -lt 2 ]; then echo 'error: failed to load checkpoint: EOF' >&2; exit 1; fi
echo '{"deployment": {"resources": [{"id": "one"}]}}'`)
	all, err := IDs(t.Context(), "prod")
	if err != nil || !all["one"] {
		t.Errorf("%v, %v", all, err)
	}
	said, err := os.ReadFile(asked)
	if want := strings.Repeat("stack export --stack prod --non-interactive\n", 2); err != nil || string(said) != want {
		t.Errorf("%q, %v", said, err)
	}
}

func TestACLIThatNeverReadsIsAnError(t *testing.T) {
	fakePulumi(t, "echo 'error: no stack named prod found' >&2; exit 255")
	if _, err := Jobs(t.Context(), "prod"); err == nil || !strings.Contains(err.Error(), "pulumi stack export --stack prod: exit status 255: error: no stack named prod found") {
		t.Error(err)
	}
}
