package config

import (
	"strings"
	"testing"
)

func TestWhatIsWrongWithACache(t *testing.T) {
	for name, test := range map[string]struct {
		raw  map[string]string
		want string // empty: it is right
	}{
		"off, with a Redis of one's own": {raw("cache", `{"enabled":false}`, "backend", `{"secrets":["REDIS_URL"]}`, "REDIS_URL", "redis://x"), ""},
		"on":                             {raw("cache", `{"enabled":true,"profile":"queue","memory":"64m","cpus":0.1}`), ""},
		"on, with one's own as a secret": {raw("cache", `{"enabled":true}`, "backend", `{"secrets":["REDIS_URL"]}`, "REDIS_URL", "redis://x"),
			`tarot:cache.enabled: "true" is not allowed; allowed: false where backend.environment, backend.secrets or backend.secretEnvironment has a REDIS_URL of your own`},
		"on, with one's own": {raw("cache", `{"enabled":true}`, "backend", `{"environment":{"REDIS_URL":"redis://x"}}`), `tarot:cache.enabled: "true" is not allowed`},
		"on, with its file":  {raw("cache", `{"enabled":true}`, "backend", `{"environment":{"REDIS_URL_FILE":"/x"}}`), `tarot:cache.enabled: "true" is not allowed`},
		"a profile":          {raw("cache", `{"profile":"database"}`), `tarot:cache.profile: "database" is not allowed; allowed: cache or queue`},
		"too little memory":  {raw("cache", `{"memory":"16m"}`), `tarot:cache.memory: "16m" is not allowed`},
		"no CPU":             {raw("cache", `{"cpus":0}`), `tarot:cache.cpus: "0" is not allowed`},
		"no image":           {raw("cache", `{"image":""}`), `tarot:cache.image: "" is not allowed`},
		"no exporter":        {raw("cache", `{"exporterImage":" "}`), `tarot:cache.exporterImage: " " is not allowed`},
		"a short password":   {raw("cachePassword", "fifteen-letters"), "tarot:cachePassword: a secret of 15 bytes is not allowed; allowed: at least 16 bytes, or none for a generated one"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(test.raw)
			said := ""
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					if strings.Contains(line, "cache") {
						said += line
					}
				}
			}
			if test.want == "" && said != "" || test.want != "" && !strings.HasPrefix(said, test.want) {
				t.Errorf("%s, want %s", said, test.want)
			}
		})
	}
}
