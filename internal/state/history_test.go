package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLastUpIsFoundInTheHistory(t *testing.T) {
	refreshes := strings.TrimSuffix(strings.Repeat(`{"kind":"refresh","result":"succeeded"},`, pageSize), ",")
	for _, test := range []struct {
		name, page   string
		failed, done bool
		fault        bool
	}{
		{"it succeeded", `[{"kind":"update","result":"succeeded"},{"kind":"update","result":"failed"}]`, false, true, false},
		{"it failed", `[{"kind":"update","result":"failed","startTime":1},{"kind":"update","result":"succeeded"}]`, true, true, false},
		{"a refresh came after it", `[{"kind":"refresh","result":"succeeded"},{"kind":"update","result":"failed"}]`, true, true, false},
		{"it has not ended", `[{"kind":"update","result":"in-progress"}]`, true, true, false},
		{"there was none", `[]`, false, true, false},
		{"it is on the next page", "[" + refreshes + "]", false, false, false},
		{"another form", `[{"type":"update","status":"failed"}]`, false, false, true},
		{"no JSON", `error: no such stack`, false, false, true},
		{"nothing", ``, false, false, true},
	} {
		failed, done, err := lastUp([]byte(test.page))
		if failed != test.failed || done != test.done || (err != nil) != test.fault {
			t.Errorf("%s: failed %v, done %v, %v", test.name, failed, done, err)
		}
	}
}

// fakePulumi is a CLI that runs a script.
func fakePulumi(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestAHistoryThatCanNotBeReadIsNoSuccess(t *testing.T) {
	fakePulumi(t, "echo 'error: incorrect passphrase' >&2; exit 255")
	if _, err := Failed(t.Context(), "prod"); err == nil || !strings.Contains(err.Error(), "incorrect passphrase") {
		t.Error(err)
	}
	refresh := strings.TrimSuffix(strings.Repeat(`{"kind":"refresh","result":"succeeded"},`, pageSize), ",")
	fakePulumi(t, fmt.Sprintf(`case "$*" in *"--page 1"*) echo '[%s]' ;; *) echo '[{"kind":"update","result":"failed"}]' ;; esac`, refresh))
	if failed, err := Failed(t.Context(), "prod"); err != nil || !failed {
		t.Errorf("%v, %v", failed, err)
	}
}
