package services

import (
	"cmp"
	"slices"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// steady is how long a service without a check has to run without ending, to count as started.
const steady = 5 * time.Second

// health is what the configuration says. Where it says nothing, the image's own check is that
// of the image's own program; of another one there is only its port to be asked.
func health(c part.Context, cfg config.Service) workload.Health {
	said := cfg.Health
	h := workload.Health{Interval: said.Interval, Timeout: said.Timeout, StartPeriod: said.StartPeriod, Retries: said.Retries}
	switch {
	case len(said.Command) > 0:
		h.Test = slices.Concat([]string{"CMD"}, said.Command)
	case said.Path != "": // by the name that the backend is asked by
		h.Test = workload.AsksHTTP(cmp.Or(said.Port, cfg.Port), said.Path, cmp.Or(c.Site.Name, "localhost"))
	case said.Port != 0:
		h.Test = workload.Connects(said.Port)
	case said.None || len(cfg.Command) > 0 && cfg.Port == 0:
		return workload.Health{Steady: steady}
	case len(cfg.Command) > 0:
		h.Test = workload.Connects(cfg.Port)
	}
	return h
}
