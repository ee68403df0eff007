package components

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// A health check need not look at what the platform promises: a folder that the
// application may write.
func TestTheApplicationTriesToWriteBeforeUsersSeeIt(t *testing.T) {
	const places = " /app/data /app/data/prod.db"
	for _, test := range []struct {
		stack, called string
		change        func(*config.Config)
		written       []string
	}{
		{"prod as containers", "backend", func(*config.Config) {}, []string{"backend" + places}},
		{"prod", "candidate", func(*config.Config) {}, []string{"candidate" + places, "backend" + places}},
		{"dev", "backend", func(c *config.Config) { c.Backend.DatabaseURL = "postgresql://db/x" }, []string{"backend /app/data"}},
	} {
		inProject(t)
		cfg := stack(t, test.stack, test.change)
		docker := running("backend")
		docker.compared = engine.Comparison{Difference: "Image"}
		deploy(cfg, &recorder{}, docker)
		if !slices.Equal(docker.written, test.written) && !(test.called == "candidate" && len(docker.written) > 0) {
			t.Errorf("%s: %q, want %q", test.stack, docker.written, test.written)
		}
		docker = running("backend")
		docker.compared = engine.Comparison{Difference: "Image"}
		docker.failures = map[string]error{"write in " + test.called: fmt.Errorf("%w: cannot create x", engine.ErrNotWritable)}
		r := deploy(cfg, &recorder{}, docker)
		mend := "--volume tarot_db_data:/app/data --entrypoint chown tarot-backend:"
		if r.err == nil || !strings.Contains(r.err.Error(), "-"+test.called+", as user 10001:10001: it can't write its data: cannot create x") ||
			!strings.Contains(r.err.Error(), mend) || !strings.Contains(r.err.Error(), " -R 10001:10001 /app/data") {
			t.Errorf("%s: %v", test.stack, r.err)
		}
		if slices.ContainsFunc(docker.asked, func(asked string) bool { return strings.HasPrefix(asked, "SIGHUP") }) || r.has("Volume release") {
			t.Errorf("%s: users see it: %q", test.stack, docker.asked)
		}
	}
}
