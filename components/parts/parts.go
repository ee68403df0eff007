// Package parts lists what the platform is made of.
package parts

import (
	"tarot-platform/components/acme"
	"tarot-platform/components/alertmanager"
	"tarot-platform/components/backend"
	"tarot-platform/components/backup"
	"tarot-platform/components/blackbox"
	"tarot-platform/components/cadvisor"
	"tarot-platform/components/external"
	"tarot-platform/components/grafana"
	"tarot-platform/components/nginx"
	"tarot-platform/components/nodeexporter"
	"tarot-platform/components/part"
	"tarot-platform/components/postgres"
	"tarot-platform/components/prometheus"
	"tarot-platform/components/schedules"
	"tarot-platform/components/services"
	"tarot-platform/components/static"
	"tarot-platform/components/storage"
	"tarot-platform/components/valkey"
)

// All are the parts. This is the only list of them: all else that has
// to know a part follows from its description.
var All = []part.Part{
	storage.Part{},
	static.Part{},
	backend.Part{},
	services.Dependencies{}, services.Part{},
	external.Part{},
	postgres.Server{}, postgres.Users{}, postgres.Bouncer{}, postgres.Exporter{}, postgres.BouncerExporter{},
	valkey.Server{}, valkey.Users{}, valkey.Exporter{},
	backup.Ground{}, postgres.Dump{}, valkey.Copy{}, backup.Replicator{}, backup.Files{}, backup.Rehearsal{}, postgres.Rehearsal{}, postgres.Archive{}, valkey.Rehearsal{},
	nginx.Part{},
	acme.Part{},
	schedules.Part{},
	prometheus.Part{},
	alertmanager.Part{},
	nodeexporter.Part{},
	cadvisor.Part{},
	blackbox.Part{},
	grafana.Part{},
}
