package config

import (
	"maps"
	"slices"
	"time"

	"tarot-platform/internal/cron"
)

// Schedule is a command that runs when it is due: docs/schedules.md.
type Schedule struct {
	// When it is due: minute, hour, day of the month, month and day of the week, as in a
	// crontab.
	Cron string `key:"cron" allowed:"five fields such as 0 3 * * 1-5 that some day has, or @hourly, @daily, @weekly, @monthly or @yearly"`
	// The time zone that the hours are of.
	TimeZone string `key:"timeZone" allowed:"a name of IANA's database, such as UTC or Asia/Shanghai"`
	// What to run.
	Command []string `key:"command" allowed:"a list of words, at least one"`
	// Whose image, variables, secrets, volumes, networks and user it has.
	Service string `key:"service" allowed:"backend, or the name of a service"`
	// Further environment variables, or other values of the service's. They are readable in
	// `docker inspect`.
	Environment map[string]string `key:"environment" allowed:"a map of names to strings"`
	// How long one attempt may take; after that it gets SIGTERM, and SIGKILL 10 s later.
	TimeLimit time.Duration `key:"timeLimit" allowed:"a duration of whole seconds, at least 1s"`
	// How long a release, or whatever else stops it, waits for what runs; after that it is
	// stopped as if its time was up. 0s: `timeLimit`, and not longer than 15m.
	StopGrace time.Duration `key:"stopGrace" allowed:"0s, or a duration of whole seconds, at least 1s"`
	// What becomes of what is due while the last one runs: `skip` leaves it out, `wait` runs
	// it afterwards, once.
	Overlap string `key:"overlap" allowed:"skip or wait"`
	// How often it is tried again when it fails.
	Retries int `key:"retries" allowed:"a whole number from 0 to 10"`
	// The time before each of these.
	RetryPause time.Duration `key:"retryPause" allowed:"a duration of whole seconds, at least 1s"`
	// The most CPU that it gets, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that it gets, with 16m for the scheduler. Swap is off.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 32m, such as 256m"`
	// Run it when it is due. A schedule that is switched off has no container.
	Enabled bool `key:"enabled" allowed:"true or false"`
}

// Default implements Entry.
func (Schedule) Default() any {
	return Schedule{TimeZone: "UTC", Service: BackendName, TimeLimit: 10 * time.Minute, Overlap: "skip", RetryPause: time.Minute, CPUs: 0.5, Memory: 256 << 20, Enabled: true}
}

// mostGrace is what nobody has to ask for: the provider gives up a container that takes 20
// minutes to stop.
const mostGrace = 15 * time.Minute

// Grace is how long what runs may go on when its scheduler has to end.
func (s Schedule) Grace() time.Duration {
	if s.StopGrace != 0 {
		return s.StopGrace
	}
	return min(s.TimeLimit, mostGrace)
}

// ScheduleWorkload is what the container of a schedule is called.
func ScheduleWorkload(name string) string { return "cron-" + name }

// Scheduled are the names of the schedules that are not switched off, sorted.
func (cfg Config) Scheduled() []string {
	all := slices.Sorted(maps.Keys(cfg.Schedules))
	return slices.DeleteFunc(all, func(name string) bool { return !cfg.Schedules[name].Enabled })
}

func (cfg Config) checkSchedules(c *checker) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Schedules)) {
		s, key := cfg.Schedules[name], "schedules."+name+"."
		_, taken := cfg.Services[ScheduleWorkload(name)]
		c.want(!taken, "schedules", name)
		s.check(c, key)
		_, there := cfg.Services[s.Service]
		c.want(there || s.Service == BackendName, key+"service", s.Service)
	}
}

func (s Schedule) check(c *checker, key string) {
	_, err := cron.Zone(s.TimeZone)
	c.want(err == nil, key+"timeZone", s.TimeZone)
	_, err = cron.Parse(s.Cron, "UTC")
	c.want(err == nil, key+"cron", s.Cron)
	c.want(len(s.Command) > 0, key+"command", "")
	for name := range s.Environment {
		c.want(variableName.MatchString(name), key+"environment", name)
	}
	c.wholeSeconds(key+"timeLimit", s.TimeLimit, time.Second)
	c.want(s.StopGrace == 0 || s.StopGrace >= time.Second && s.StopGrace%time.Second == 0, key+"stopGrace", s.StopGrace)
	c.oneOf(key+"overlap", s.Overlap, "skip", "wait")
	c.between(key+"retries", s.Retries, 0, 10)
	c.wholeSeconds(key+"retryPause", s.RetryPause, time.Second)
	c.want(s.CPUs >= 0.01, key+"cpus", s.CPUs)
	c.want(s.Memory >= 32<<20, key+"memory", s.Memory)
}
