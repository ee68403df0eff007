package components

import (
	"errors"
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
	if image := record.at("labels", 2, "value"); image != r.outputs["image"].Value {
		t.Errorf("of the image %v", image)
	}
	_, tag, _ := strings.Cut(image, ":")
	// The next `up` finds the record of the first.
	docker.releases = append([]release.Release{{Name: name, Image: image, Sequence: 8, Record: "the record", Before: "r1"}}, docker.releases...)
	again := deploy(stack(t, "prod", func(c *config.Config) { c.Releases.Keep = 1 }), &recorder{}, docker)
	if found := again.get(t, "Volume", "release").at("name"); found != "the record" {
		t.Errorf("what runs on is recorded anew: %v", found)
	}
	for _, r := range []*run{r, again} {
		want := []any{"r/" + tag, "r/00000000000000aa"}
		if got := r.get(t, "Container", "tarot-test-activate-static").list("entrypoints")[4:]; !slices.Equal(got, want) {
			t.Errorf("folders %v, want %v", got, want)
		}
	}
}

// `make rollback` goes to what a record says was before.
func TestWhereTheWayBackLeads(t *testing.T) {
	records := func(all ...string) (found []release.Release) { // name before, the latest first
		for i, text := range all {
			name, before, _ := strings.Cut(text, " ")
			found = append(found, release.Release{Name: name, Before: before, Sequence: len(all) - i, Record: "record of " + name})
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
		{"the same, pinned", "b", true, records("b a", "c b", "a"), "a", "record of b"},
		{"forward again", "c", false, records("b a", "c b", "a"), "b", "tarot-test-release-c-4"},
		{"another one after a rollback", "d", false, records("b a", "c b", "a"), "b", "tarot-test-release-d-4"},
		{"its content once more", "a", false, records("b a", "a"), "b", "tarot-test-release-a-3"},
	} {
		p := &platform{PlatformArgs: PlatformArgs{Prefix: "tarot-test", Pinned: test.pinned}}
		got := p.inSequence(release.Release{Name: test.release}, test.found)
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
	if got := anew.get(t, "Container", "tarot-test-migrate").list("entrypoints"); len(got) != 8 || got[2] != onlyNewScript || got[4] != "/app/data/prod.db" || got[7] != "head" {
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
			t.Errorf("a trial: %s", question)
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
