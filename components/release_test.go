package components

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/release"
)

func TestAReleaseIsRecordedAndOldStaticFilesGo(t *testing.T) {
	inProject(t)
	const old = "tarot-backend:00000000000000aa"
	docker := &fakeEngine{releases: []release.Release{{Name: "r1", Image: old, Sequence: 7}, {Name: "r0", Image: "other:1"}}}
	r := deploy(stack(t, "prod", func(c *config.Config) { c.Releases.Keep = 1 }), &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	image, name := r.outputs["image"].Value.(string), r.outputs["release"].Value.(string)
	record := r.get(t, "Volume", "release")
	if record.at("name") != "tarot-test-release-"+name+"-8" || !record.RPC.GetRetainOnDelete() {
		t.Errorf("record %v, retained %v", record.at("name"), record.RPC.GetRetainOnDelete())
	}
	labels := labelsOf(record)
	if labels["tarot.image"] != r.outputs["image"].Value || labels["tarot.image-id"] != "sha256:of "+image || labels["tarot.secrets"] != "[]" {
		t.Errorf("recorded is %v", labels)
	}
	_, tag, _ := strings.Cut(image, ":")
	// The next `up` finds the record of the first.
	written := map[string]string{"tarot.release": name, "tarot.of": "an older program"}
	docker.releases = append([]release.Release{{Name: name, Image: image, Sequence: 8, Record: "the record", Labels: written, Before: "r1"}}, docker.releases...)
	again := deploy(stack(t, "prod", func(c *config.Config) { c.Releases.Keep = 1 }), &recorder{}, docker)
	if found := again.get(t, "Volume", "release"); found.at("name") != "the record" || !maps.Equal(labelsOf(found), written) {
		t.Errorf("what runs on is recorded anew: %v", found.In)
	}
	for _, r := range []*run{r, again} {
		want := []any{"r/" + tag, "r/00000000000000aa"}
		if got := r.get(t, "Container", "tarot-test-activate-static").list("entrypoints")[4:]; !slices.Equal(got, want) {
			t.Errorf("folders %v, want %v", got, want)
		}
	}
}

func labelsOf(volume registration) map[string]string {
	labels := map[string]string{}
	for i := range volume.list("labels") {
		labels[fmt.Sprint(volume.at("labels", i, "label"))] = fmt.Sprint(volume.at("labels", i, "value"))
	}
	return labels
}

// An image that no record names yet is spared by everybody's clean-up, also by that of
// another stack at the same moment; and this stack cleans up when its own is recorded.
func TestTheImageIsClaimedUntilItsReleaseIsRecorded(t *testing.T) {
	inProject(t)
	docker := &fakeEngine{}
	r := deploy(stack(t, "prod"), &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	image := r.outputs["image"].Value.(string)
	if last := docker.asked[len(docker.asked)-1]; !strings.HasPrefix(last, "prune to 5 of tarot-test") || !r.has("Volume release") {
		t.Errorf("the last is %q", last)
	}
	if want := []string{image + " for tarot-test from 0", fmt.Sprintf("until %d", len(docker.asked))}; !slices.Equal(docker.claims, want) {
		t.Errorf("%q, want %q", docker.claims, want)
	}
	docker = &fakeEngine{failures: map[string]error{"tarot-test-migrate": errors.New("it broke")}}
	if r := deploy(stack(t, "prod"), &recorder{}, docker); r.err == nil || len(docker.claims) != 2 {
		t.Errorf("after a failed one: %q, %v", docker.claims, r.err)
	}
	docker = &fakeEngine{failures: map[string]error{"claim": errors.New("no answer")}}
	if r := deploy(stack(t, "prod"), &recorder{}, docker); r.err == nil || r.has("RemoteImage backend-image") {
		t.Errorf("it is built without a claim; %v", r.err)
	}
	docker = &fakeEngine{}
	if r := deploy(stack(t, "prod"), &recorder{stage: preview}, docker); r.err != nil || len(docker.claims) > 0 {
		t.Errorf("a preview claims %q; %v", docker.claims, r.err)
	}
}

// Users have it, and its `up` fails: the way back does not lead to it.
func TestAReleaseWhoseMonitoringFailsIsNoneThatRanAsWanted(t *testing.T) {
	inProject(t)
	watched := stack(t, "prod as containers", func(c *config.Config) { c.Monitoring.Enabled = true })
	docker := &fakeEngine{releases: []release.Release{{Name: "r1", Image: "other:1", Sequence: 7}}, failures: map[string]error{"tarot-test-prometheus-1": errors.New("it broke")}}
	r := deploy(watched, &recorder{}, docker)
	if r.err == nil || !strings.Contains(r.err.Error(), "it broke") {
		t.Fatal(r.err)
	}
	labels := labelsOf(r.get(t, "Volume", "release"))
	if labels["tarot.unfinished"] != "true" || labels["tarot.before"] != "r1" {
		t.Errorf("recorded is %v", labels)
	}
	if slices.ContainsFunc(docker.asked, func(s string) bool { return strings.HasPrefix(s, "prune") }) {
		t.Error("it is cleaned up after it")
	}
	docker.failures = nil
	docker.releases = append([]release.Release{{Name: labels["tarot.release"], Sequence: 8, Before: "r1", Unfinished: true, Record: "unfinished"}}, docker.releases...)
	r = deploy(watched, &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	if labels = labelsOf(r.get(t, "Volume", "release")); labels["tarot.unfinished"] != "" || labels["tarot.before"] != "r1" || labels["tarot.sequence"] != "9" {
		t.Errorf("then recorded is %v", labels)
	}
}

// `make rollback` goes to what a record says was before.
func TestWhereTheWayBackLeads(t *testing.T) {
	records := func(all ...string) (found []release.Release) { // name before; pinned: (name), unfinished: name!; the latest first
		for i, text := range all {
			name, before, _ := strings.Cut(text, " ")
			r := release.Release{Before: before, Sequence: len(all) - i, Unfinished: strings.HasSuffix(name, "!")}
			if strings.HasPrefix(name, "(") {
				r.PinnedBy = "ann@example"
			}
			r.Name = strings.Trim(name, "(!)")
			r.Record = "record of " + r.Name
			found = append(found, r)
		}
		return found
	}
	for _, test := range []struct {
		name, release string
		pinned        bool
		found         []release.Release
		before        string
		recorded      string
	}{
		{"the first", "a", false, nil, "", "tarot-test-release-a-1"},
		{"the second", "b", false, records("a"), "a", "tarot-test-release-b-2"},
		{"the same", "b", false, records("b a", "a"), "a", "record of b"},
		{"a rollback", "b", true, records("c b", "b a", "a"), "a", "tarot-test-release-b-4"},
		{"the same, pinned", "b", true, records("(b) a", "c b", "a"), "a", "record of b"},
		{"the same, pinned for the first time", "b", true, records("b a", "a"), "a", "tarot-test-release-b-3"},
		{"the same, not pinned any more", "b", false, records("(b) a", "c b", "a"), "a", "tarot-test-release-b-4"},
		{"forward again", "c", false, records("(b) a", "c b", "a"), "b", "tarot-test-release-c-4"},
		{"another one after a rollback", "d", false, records("(b) a", "c b", "a"), "b", "tarot-test-release-d-4"},
		{"after one that was not finished", "d", false, records("c! b", "b a", "a"), "b", "tarot-test-release-d-4"},
		{"back by a new `up` after one that was not finished", "b", false, records("c! b", "b a", "a"), "a", "tarot-test-release-b-4"},
		{"its content once more", "a", false, records("b a", "a"), "b", "tarot-test-release-a-3"},
	} {
		got := nextRecord(release.Release{Name: test.release}, test.found, "tarot-test", test.pinned)
		if got.Before != test.before || got.Record != test.recorded {
			t.Errorf("%s: before it %q, recorded as %s; want %q, %s", test.name, got.Before, got.Record, test.before, test.recorded)
		}
	}
}

// It is wanted back soon, and has run before: no trial, and all at once.
func TestAPinnedReleaseIsSaidAndComesAtOnce(t *testing.T) {
	pinned := func(c *config.Config) { c.Backend.Image = "tarot-backend:00000000000000aa" }
	inProject(t)
	r := deployPinned(stack(t, "prod", pinned), &recorder{}, running("backend"))
	if r.err != nil || len(r.warnings.texts) != 1 || !strings.Contains(r.warnings.texts[0], "releases.pin") {
		t.Errorf("%v, %q", r.err, r.warnings.texts)
	}
	if r.has("Container tarot-test-migrate") {
		t.Error("it is migrated once more")
	}
	// Where nothing runs, the volume itself is looked into.
	withCommand := func(c *config.Config) { pinned(c); c.Backend.Migrate = []string{"alembic", "upgrade", "head"} }
	anew := deployPinned(stack(t, "prod", withCommand), &recorder{}, &fakeEngine{})
	if got := anew.get(t, "Container", "tarot-test-migrate").list("entrypoints"); len(got) != 12 || !strings.Contains(fmt.Sprint(got[6]), "a release that has run before leaves its schema as it is") || got[8] != "/app/data/prod.db" || got[11] != "head" {
		t.Errorf("new data are not migrated, or others are: %v", got)
	}
	elsewhere := func(c *config.Config) { withCommand(c); c.Volumes.Data = "another" }
	if r := deployPinned(stack(t, "prod", elsewhere), &recorder{}, running("backend")); !r.has("Container tarot-test-migrate") {
		t.Error("what runs has another volume, and nobody looks into this one")
	}
	if r := deployPinned(stack(t, "prod", func(c *config.Config) { withCommand(c); c.Backend.DatabaseURL = "postgresql://db/prod" }), &recorder{}, &fakeEngine{}); r.has("Container tarot-test-migrate") {
		t.Error("a database of which nothing is known is migrated")
	}
	for _, question := range r.engine.asked {
		if strings.HasPrefix(question, "scale ") {
			t.Errorf("a canary: %s", question)
		}
	}
	if got := r.get(t, "Service", "tarot-test-backend").at("updateConfig", "parallelism"); got != 0.0 {
		t.Errorf("%v tasks at a time", got)
	}
	docker := running("earlier")
	docker.failures = map[string]error{"tarot-test-backend-1": errors.New("no")}
	r = deployPinned(stack(t, "prod as containers", pinned), &recorder{}, docker)
	if r.err == nil || !r.has("Container tarot-test-backend-3") {
		t.Errorf("one container at a time; %v", r.err)
	}
}
