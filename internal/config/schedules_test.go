package config

import (
	"strings"
	"testing"
	"time"
)

func TestWhatIsWrongWithASchedule(t *testing.T) {
	inProject(t)
	with := func(members string) string { return `{"a":{"cron":"0 3 * * *","command":["x"]` + members + `}}` }
	for name, test := range map[string]struct {
		schedules string
		want      string // the first line; empty: it is right
	}{
		"a command, daily":        {with(``), ""},
		"all keys":                {with(`,"timeZone":"Asia/Shanghai","service":"worker","environment":{"A":"b"},"timeLimit":"1h","stopGrace":"5m","overlap":"wait","retries":2,"retryPause":"30s","cpus":1,"memory":"1g","enabled":false`), ""},
		"a short form":            {`{"a":{"cron":"@hourly","command":["x"]}}`, ""},
		"a list":                  {`["a"]`, `tarot:schedules: ["a"] is not allowed; allowed: an object for each schedule`},
		"an unknown key":          {with(`,"timezone":"UTC"`), `tarot:schedules.a.timezone: there is no such key; allowed: command, cpus, cron, `},
		"a name":                  {`{"A":{}}`, `tarot:schedules: "A" is not allowed`},
		"a service's name":        {`{"two":{"cron":"@daily","command":["x"]}}`, `tarot:schedules: "two" is not allowed; allowed: an object for each schedule, by a name of at most 32 lower case letters, digits and -, that begins with a letter; no service is called cron-NAME`},
		"never said when":         {`{"a":{"command":["x"]}}`, `tarot:schedules.a.cron: "" is not allowed; allowed: five fields such as 0 3 * * 1-5`},
		"seconds":                 {`{"a":{"cron":"0 0 3 * * *","command":["x"]}}`, `tarot:schedules.a.cron: "0 0 3 * * *" is not allowed`},
		"no such day":             {`{"a":{"cron":"0 0 31 4 *","command":["x"]}}`, `tarot:schedules.a.cron: "0 0 31 4 *" is not allowed`},
		"from the start":          {`{"a":{"cron":"@every 1h","command":["x"]}}`, `tarot:schedules.a.cron: "@every 1h" is not allowed`},
		"a zone of its own":       {`{"a":{"cron":"CRON_TZ=UTC 0 3 * * *","command":["x"]}}`, `tarot:schedules.a.cron: "CRON_TZ=UTC 0 3 * * *" is not allowed`},
		"a zone":                  {with(`,"timeZone":"Asia/Nowhere"`), `tarot:schedules.a.timeZone: "Asia/Nowhere" is not allowed; allowed: a name of IANA's database, such as UTC or Asia/Shanghai`},
		"the machine's zone":      {with(`,"timeZone":"Local"`), `tarot:schedules.a.timeZone: "Local" is not allowed`},
		"nothing to run":          {`{"a":{"cron":"@daily"}}`, `tarot:schedules.a.command: "" is not allowed; allowed: a list of words, at least one`},
		"nobody":                  {with(`,"service":"third"`), `tarot:schedules.a.service: "third" is not allowed; allowed: backend, or the name of a service`},
		"a variable":              {with(`,"environment":{"A-B":"x"}`), `tarot:schedules.a.environment: "A-B" is not allowed`},
		"no time":                 {with(`,"timeLimit":"0s"`), `tarot:schedules.a.timeLimit: "0s" is not allowed`},
		"a part of a second":      {with(`,"stopGrace":"1500ms"`), `tarot:schedules.a.stopGrace: "1.5s" is not allowed`},
		"side by side":            {with(`,"overlap":"allow"`), `tarot:schedules.a.overlap: "allow" is not allowed; allowed: skip or wait`},
		"for ever":                {with(`,"retries":11`), `tarot:schedules.a.retries: "11" is not allowed`},
		"no pause":                {with(`,"retryPause":"0s"`), `tarot:schedules.a.retryPause: "0s" is not allowed`},
		"no CPU":                  {with(`,"cpus":0`), `tarot:schedules.a.cpus: "0" is not allowed`},
		"too little memory":       {with(`,"memory":"16m"`), `tarot:schedules.a.memory: "16m" is not allowed`},
		"one that is off, as any": {with(`,"enabled":false,"overlap":"x"`), `tarot:schedules.a.overlap: "x" is not allowed`},
	} {
		_, err := Load(raw("services", `{"worker":{},"cron-two":{}}`, "schedules", test.schedules))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if first, _, _ := strings.Cut(got, "\n"); (test.want == "") != (err == nil) || !strings.HasPrefix(first, test.want) {
			t.Errorf("%s: %s\nwant %s", name, got, test.want)
		}
	}
}

func TestWhatRunsGoesOnForItsTimeLimit(t *testing.T) {
	for want, s := range map[time.Duration]Schedule{10 * time.Minute: {TimeLimit: 10 * time.Minute}, 15 * time.Minute: {TimeLimit: time.Hour}, 2 * time.Hour: {TimeLimit: time.Hour, StopGrace: 2 * time.Hour}} {
		if got := s.Grace(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
