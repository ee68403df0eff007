package backup

import (
	"cmp"
	_ "embed" // the rules
	"encoding/json"
	"maps"
	"net/url"
	"path"
	"strconv"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/backend"
	"tarot-platform/components/part"
	"tarot-platform/components/schedules"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// withoutApplication is the memory of the standing room where it only looks at databases.
const withoutApplication = 128 << 20

//go:embed rehearsal.rules.yml.tmpl
var rehearsalRules string

// Rehearsal restores every day what is newest into a scratch volume, and looks whether it is whole.
// It has two rooms. The one that fetches has the targets' credentials and a network. The one in
// which the release stands on what was restored has neither: nothing that it does reaches anybody.
// They talk by files in the scratch volume.
type Rehearsal struct{}

// Name implements part.Part.
func (Rehearsal) Name() string { return standing }

// Spec implements part.Part.
func (Rehearsal) Spec(c part.Context) (part.Spec, error) {
	if !c.Backup.Enabled {
		return part.Spec{}, nil
	}
	room, err := stand(c)
	if err != nil {
		return part.Spec{}, err
	}
	fetching := schedules.Wrap(c, config.BackupRehearsalSchedule, schedules.Timetable{
		Cron: c.Backup.Rehearsal.Cron, TimeZone: c.Backup.TimeZone, Overlap: "skip", Limit: 2 * time.Hour, Grace: filesGrace,
	}, fetch(c), toolsVolume, schedulerName(c))
	s := part.Spec{Component: component, Follows: true, Services: []part.Service{room, fetching}, Scrapes: []prometheus.Job{schedules.Scrape(fetching)}}
	if !c.Monitoring.Enabled {
		return s, nil
	}
	s.Alerts, err = alerts(c, config.BackupRehearsalSchedule, rehearsalRules, c.Backup.Rehearsal.Cron)
	return s, err
}

// fetch restores into the scratch volume.
func fetch(c part.Context) part.Service {
	database, files := Place(c.Config, c.Stack), FilesPlace(c.Config, c.Stack)
	words := append([]string{"rehearse", "--state=" + stateFolder, "--scratch=" + scratchFolder, "--max-files=" + strconv.FormatInt(int64(c.Backup.Rehearsal.MaxFiles), 10)},
		told(c, database.String())...)
	words = append(words, "--files-target="+files.String())
	if m, there := DatabaseVolume(c); there {
		words = append(words, "--database="+c.DatabaseFile(), "--source="+sourceOf(m, c.DatabaseFile()), "--replicator="+replicatorURL,
			"--litestream="+path.Join(schedules.Folder, litestreamName(c)))
	}
	if c.RunsPostgres() {
		words = append(words, "--dump="+path.Join(sourceFolder, DumpVolume), "--room="+roomFolder)
	}
	if c.BacksUpQueue() {
		words = append(words, "--queue="+path.Join(sourceFolder, QueueVolume), "--queue-room="+queueRoom)
	}
	s := restics(c, words...)
	if c.BacksUpQueue() {
		s.Mounts = append(s.Mounts, volume(QueueRoomVolume, queueRoom, true))
	}
	if c.RunsPostgres() {
		s.Mounts = append(s.Mounts, volume(RoomVolume, roomFolder, true))
	}
	s.Networks = networks(database, files)
	s.Mounts = append(append(s.Mounts, volume(scratchVolume, scratchFolder, false)), targetMounts(true, database, files)...)
	return s
}

// stand is a replica of the backend's that stands on the scratch volume, without a network. The helper
// comes before its command: it starts that when there is something to stand on, and else sleeps.
func stand(c part.Context) (part.Service, error) {
	s, err := backend.Replica(c)
	if err != nil {
		return s, err
	}
	folder := scratchFolder
	m, there := DatabaseVolume(c)
	if there {
		folder = m.Target
	}
	words := []string{"stand", "--scratch=" + folder}
	if there {
		words = append(words, "--database="+c.DatabaseFile())
	}
	if c.RunsPostgres() {
		words = append(words, "--server="+path.Join(roomFolder, "socket", ".s.PGSQL.5432"))
	}
	s.Limits.Key = "backend"
	if c.Backup.Rehearsal.Application {
		asked, err := asked(c)
		if err != nil {
			return s, err
		}
		words = append(words, "--application="+asked)
	} else {
		s.Limits = workload.Limits{CPUs: c.Backup.CPUs, Memory: withoutApplication}
	}
	s.Name, s.Logging = standing, c.Log(standing)
	s.Before = helper(c, toolsFolder, append(words, "--")...)
	s.Environment = rehearsed(c, s.Environment)
	s.Health = healthy(c, toolsFolder)
	s.Replicas, s.Exclusive, s.Isolated = 1, true, true
	s.Networks, s.Ports, s.Writes, s.Upstream, s.Answers, s.Job, s.Explain = nil, nil, nil, false, nil, "", nil
	s.After = ground(c)
	s.Mounts = stages(c, folder)
	if c.RunsPostgres() {
		s.Mounts = append(s.Mounts, volume(RoomVolume, roomFolder, true))
		onServer(c, &s)
	}
	return s, nil
}

// onServer has a replica find the server of the rehearsal in place of the live one, whose password
// is not told here.
func onServer(c part.Context, s *part.Service) {
	address := (&url.URL{Scheme: c.Database.Scheme, User: url.UserPassword("app", "app"), Host: "127.0.0.1:5432", Path: "app"}).String()
	var others []part.SecretFile
	for _, file := range s.Secrets {
		if file.Secret != DatabasePassword {
			others = append(others, file)
			continue
		}
		if file.Export != "" {
			s.Environment[file.Export] = address
		}
	}
	s.Secrets = others
}

// stages are what the release has in the places of its volumes: the scratch for the database's, its
// static files, and memory for the others.
func stages(c part.Context, folder string) []part.Mount {
	all := []part.Mount{volume(scratchVolume, folder, false), volume(toolsVolume, toolsFolder, true), {Kind: workload.Tmpfs, Target: "/tmp"}}
	for _, m := range storage.Mounts(c) {
		switch {
		case m.Target == folder:
		case m.Source == "static":
			m.ReadOnly = true
			all = append(all, m)
		default:
			all = append(all, part.Mount{Kind: workload.Tmpfs, Target: m.Target})
		}
	}
	for _, place := range c.Backend.Tmpfs {
		all = append(all, part.Mount{Kind: workload.Tmpfs, Target: place})
	}
	return all
}

// rehearsed is the application's environment in a rehearsal: one process, that believes only the
// helper beside it, and that may know what it is in.
func rehearsed(c part.Context, of map[string]string) map[string]string {
	all := maps.Clone(of)
	for variable, value := range map[string]string{"WORKERS": "1", "WEB_CONCURRENCY": "1", "FORWARDED_ALLOW_IPS": "127.0.0.1"} {
		for _, name := range c.Backend.Called(variable) {
			if _, told := all[name]; told {
				all[name] = value
			}
		}
	}
	all["REHEARSAL"] = "true"
	return all
}

// Application is what the standing room does with the release, and asks it.
type Application struct {
	// Migrate brings the schema up to date; empty: nothing does.
	Migrate []string `json:"migrate,omitempty"`
	// Port is where it listens, Host what it is asked by.
	Port int    `json:"port"`
	Host string `json:"host"`
	// Health, Read, Write, Body and Admin are as in smoke.Test. Static files are nginx's.
	Health string `json:"health"`
	Read   string `json:"read,omitempty"`
	Write  string `json:"write,omitempty"`
	Body   string `json:"body,omitempty"`
	Admin  string `json:"admin,omitempty"`
	// Start is how long it may take until it answers, and Grace until it has ended, in seconds.
	Start int `json:"start"`
	Grace int `json:"grace"`
}

// asked is for a release, of which a pinned one migrates nothing: it has run before, and the schema
// may be that of a later one, which its migration does not know.
func asked(c part.Context) (string, error) {
	b := c.Backend
	if c.Release.Pinned {
		b.Migrate = nil
	}
	text, err := json.Marshal(Application{Migrate: b.Migrate, Port: b.Port, Host: cmp.Or(c.Site.Name, "localhost"), Health: b.HealthPath(), Read: b.Smoke.Read, Write: b.Smoke.Write, Body: b.Smoke.Body, Admin: b.Smoke.Admin,
		Start: int((b.Health.StartPeriod + time.Minute) / time.Second), Grace: int(b.StopGrace / time.Second)})
	return string(text), err
}
