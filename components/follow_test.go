package components

import (
	"fmt"
	"testing"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// Users have the release when the monitoring is replaced: all of it at once would starve it.
func TestFewPartsFollowTheReleaseAtATime(t *testing.T) {
	inProject(t)
	docker := &fakeEngine{takes: 10 * time.Millisecond}
	r := deploy(stack(t, "prod", func(c *config.Config) {
		c.Runtime, c.Monitoring.Enabled, c.Backend.Replicas = "containers", true, 1
	}), &recorder{}, docker)
	if r.err != nil {
		t.Fatal(r.err)
	}
	if docker.mostWaiting < 1 || docker.mostWaiting > atOnce {
		t.Errorf("%d starts were waited for at a time, want at most %d", docker.mostWaiting, atOnce)
	}
}

// What waits for another part's job comes when that is declared, however many parts run at once.
func TestWhatFollowsComesAfterTheJobsThatItAwaits(t *testing.T) {
	service := func(name string, after []string) (s part.Service) {
		s.Name, s.After = name, after
		return s
	}
	named := func(name string, after []string, jobs ...string) part.Described {
		d := part.Described{Name: name}
		for _, j := range jobs {
			d.Jobs = append(d.Jobs, part.Job{Service: service(j, nil)})
		}
		d.Services = []part.Service{service(name, after)}
		return d
	}
	archive, rehearsal := named("archive", []string{"publish", "own-room"}), named("rehearsal", []string{"own-room"}, "own-room")
	again := part.Described{Name: "users", Spec: part.Spec{Jobs: []part.Job{{Service: service("add", nil), Again: []string{"archive"}}}}}
	for want, parts := range map[string][]part.Described{
		"[[rehearsal] [archive] [users]]":    {archive, again, rehearsal},
		"[[rehearsal other] [archive]]":      {rehearsal, archive, named("other", nil)},
		"[[other archive]]":                  {named("other", nil), archive}, // the job is an earlier part's
		"[]":                                 nil,
		"a and b wait for each other's jobs": {named("a", []string{"of-b"}, "of-a"), named("b", []string{"of-a"}, "of-b")},
	} {
		waves, err := inWaves(parts)
		got := [][]string{}
		for _, wave := range waves {
			var names []string
			for _, d := range wave {
				names = append(names, d.Name)
			}
			got = append(got, names)
		}
		if told := fmt.Sprint(got); err == nil && told != want || err != nil && err.Error() != want {
			t.Errorf("%v, %v; want %s", got, err, want)
		}
	}
}
