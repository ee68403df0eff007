package nodeexporter

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A release keeps its time where an update changes something else, which has a time of its own.
func TestAnUpdateIsNoRelease(t *testing.T) {
	folder := t.TempDir()
	clock := filepath.Join(t.TempDir(), "date")
	publish := func(now, facts string) map[string]string {
		t.Helper()
		if err := os.WriteFile(clock, []byte("#!/bin/sh\necho "+now+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", strings.ReplaceAll(publishScript, textfiles, folder), "facts", facts, "made")
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(clock)+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(filepath.Join(folder, "platform.prom"))
		if err != nil || !strings.HasPrefix(string(text), facts+"\n") {
			t.Fatalf("%v: %s", err, text)
		}
		all := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^platform_(\w+)_timestamp_seconds (\d+)$`).FindAllStringSubmatch(string(text), -1) {
			all[m[1]] = m[2]
		}
		return all
	}
	const one, two = "platform_release_info{release=\"r1\"} 1\nplatform_maintenance 0", "platform_release_info{release=\"r2\"} 1\nplatform_maintenance 0"
	for _, step := range []struct{ now, facts, deployed string }{{"100", one, "100"}, {"200", one, "100"}, {"300", one, "100"}, {"400", two, "400"}, {"500", one, "500"}} {
		if all := publish(step.now, step.facts); all["updated"] != step.now || all["deployed"] != step.deployed {
			t.Errorf("at %s: %v", step.now, all)
		}
	}
	// As an earlier version has left it.
	if err := os.WriteFile(filepath.Join(folder, "platform.prom"), []byte(two+"\n# HELP platform_deployed_timestamp_seconds When.\n# TYPE platform_deployed_timestamp_seconds gauge\nplatform_deployed_timestamp_seconds 600\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if all := publish("700", two); all["updated"] != "700" || all["deployed"] != "600" {
		t.Errorf("%v", all)
	}
}
