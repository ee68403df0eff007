package components

import (
	"testing"
	"time"

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
