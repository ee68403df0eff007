package components

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// A task of Swarm's has a network always: what stands on what was restored has none.
func TestTheStandingRoomIsAContainerInBothRuntimes(t *testing.T) {
	for _, name := range []string{"prod", "prod as containers"} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name, backedUp), up)
			x := r.get(t, "Container", "tarot-test-backup-rehearsal-1")
			if x.at("networkMode") != "none" || x.at("networksAdvanced") != nil || x.at("ports") != nil || x.at("restart") != "always" || !x.RPC.GetDeleteBeforeReplace() {
				t.Errorf("%v", x.In)
			}
			if r.has("Service tarot-test-backup-rehearsal") {
				t.Error("it is a service of Swarm's")
			}
			// The release's own start comes after the helper.
			words := x.list("command")
			if len(words) < 3 || !strings.HasPrefix(fmt.Sprint(words[0]), "/run/backup/backup-") || words[1] != "stand" || !slices.Contains(words, any("--")) {
				t.Errorf("%v", words)
			}
			if !slices.ContainsFunc(r.engine.asked, func(s string) bool {
				return strings.HasPrefix(s, "container tarot-test-backup-rehearsal-1 runs")
			}) {
				t.Errorf("nobody waits for it: %q", r.engine.asked)
			}
			if !slices.Contains(r.kept, "tarot-test-backup-rehearsal-1-id") {
				t.Errorf("it would be taken for one that is left: %q", r.kept)
			}
		})
	}
}

func TestWhoReadsTheFilesOfOthersBeginsAsRoot(t *testing.T) {
	inProject(t)
	all := []any{"CAP_DAC_READ_SEARCH", "CAP_SETGID", "CAP_SETUID"}
	x := succeed(t, stack(t, "prod as containers", backedUp, cached("queue")), up).get(t, "Container", "tarot-test-cron-backup-files-1")
	if x.at("user") != "0:0" || !slices.Equal(x.list("capabilities", "adds"), all) || !slices.Equal(x.list("capabilities", "drops"), []any{"ALL"}) {
		t.Errorf("%v", x.In)
	}
	s := succeed(t, stack(t, "prod", backedUp, cached("queue")), up).get(t, "Service", "tarot-test-cron-backup-files")
	if s.at("taskSpec", "containerSpec", "user") != "0:0" || !slices.Equal(s.list("taskSpec", "containerSpec", "capAdds"), all) {
		t.Errorf("%v", s.In)
	}
	for _, change := range []func(*config.Config){func(*config.Config) {}, cached("cache")} {
		x = succeed(t, stack(t, "prod as containers", backedUp, change), up).get(t, "Container", "tarot-test-cron-backup-files-1")
		if x.at("user") != "10001:10001" || x.at("capabilities", "adds") != nil {
			t.Errorf("%v", x.In)
		}
	}
}

// A backup that does not start holds no release up; its programs are there before it starts.
func TestBackupsFollowTheRelease(t *testing.T) {
	for name, form := range map[string]string{"prod": "service tarot-test-%s runs", "prod as containers": "container tarot-test-%s-1 runs"} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name, backedUp), up)
			for _, later := range []string{fmt.Sprintf(form, "backup-replicator"), fmt.Sprintf(form, "cron-backup-files"), fmt.Sprintf(form, "cron-backup-rehearsal"), "container tarot-test-backup-rehearsal-1 runs", "job tarot-test-publish-state ends"} {
				at := place(t, r, later)
				for _, before := range []string{"nginx runs its configuration", "job tarot-test-publish-litestream ends", "job tarot-test-own-backup ends"} {
					if at < place(t, r, before) {
						t.Errorf("%s comes before %s: %q", later, before, r.engine.asked)
					}
				}
			}
			if place(t, r, "job tarot-test-publish-litestream ends") < place(t, r, "job tarot-test-publish-backup ends") {
				t.Errorf("nothing is there that could copy it: %q", r.engine.asked)
			}
		})
	}
}

func TestABadReleaseLeavesBackupsAlone(t *testing.T) {
	inProject(t)
	r := deploy(stack(t, "prod as containers", backedUp), &recorder{}, &fakeEngine{failures: map[string]error{"tarot-test-backend-1": errors.New("no")}})
	if r.err == nil || r.has("Container tarot-test-backup-replicator-1") || r.has("Container tarot-test-publish-state") {
		t.Errorf("%v: %v", r.err, r.find("Container"))
	}
}

// The image is of no release: the clean-up knows it, and nobody's removes it meanwhile.
func TestTheHelpersImageStays(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod as containers", backedUp), up)
	image := r.get(t, "RemoteImage", "publish-backup-image").at("name").(string)
	if !strings.HasPrefix(image, "tarot-backup:") || !slices.Contains(r.engine.pruning.InUse, image) || !strings.Contains(r.engine.claims[0], image) {
		t.Errorf("%s: %+v, %q", image, r.engine.pruning, r.engine.claims)
	}
}

func TestWithoutABackupNothingIsThere(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod"), up)
	for _, x := range r.all {
		if strings.Contains(x.Name, "backup") {
			t.Errorf("there is %s", x.Name)
		}
	}
}

// What was backed up stays where it is, however often that is switched on and off.
func TestBackupsAreKept(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod as containers", backedUp), up)
	for _, name := range []string{"backup-target", "backup-state"} {
		if v := r.get(t, "Volume", name); !v.RPC.GetRetainOnDelete() {
			t.Errorf("%s goes with the stack", name)
		}
	}
	for name, engine := range map[string]string{"backup-target": "tarot-test-backup", "backup-state": "tarot-test-backup-state", "backup-scratch": "tarot-test-backup-scratch", "backup-tools": "tarot-test-backup-tools"} {
		if got := r.get(t, "Volume", name).at("name"); got != engine {
			t.Errorf("%s is called %v", name, got)
		}
	}
}
