package backup

import (
	_ "embed" // the rules
	"fmt"
	"path"
	"slices"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/schedules"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/cron"
)

// The scheduler's containers of the backup.
var (
	filesService     = config.ScheduleWorkload(config.BackupFilesSchedule)
	rehearsalService = config.ScheduleWorkload(config.BackupRehearsalSchedule)
)

// filesGrace is how long what runs goes on when its container is to end. restic is at a loss for
// no time: what it has sent is there the next time.
const filesGrace = time.Minute

//go:embed files.rules.yml.tmpl
var filesRules string

// Files backs up every night, encrypted, the volumes that parts have marked, a consistent copy of
// the database, and what the stack itself can be made of again.
type Files struct{}

// Name implements part.Part.
func (Files) Name() string { return config.BackupFilesSchedule }

// Spec implements part.Part.
func (Files) Spec(c part.Context) (part.Spec, error) {
	if !c.Backup.Enabled {
		return part.Spec{}, nil
	}
	run, err := backUp(c)
	if err != nil {
		return part.Spec{}, err
	}
	service := schedules.Wrap(c, config.BackupFilesSchedule, schedules.Timetable{
		Cron: c.Backup.Files.Cron, TimeZone: c.Backup.TimeZone, Overlap: "skip", Limit: 6 * time.Hour, Grace: filesGrace, Retries: 2, Pause: 10 * time.Minute,
	}, run, toolsVolume, schedulerName(c))
	s := part.Spec{Component: component, Follows: true, Services: []part.Service{service}, Jobs: []part.Job{seal(c)}, Scrapes: []prometheus.Job{schedules.Scrape(service)}}
	if !c.Monitoring.Enabled {
		return s, nil
	}
	s.Alerts, err = alerts(c, config.BackupFilesSchedule, filesRules, c.Backup.Files.Cron)
	return s, err
}

// restics is what has restic's image: the application's user, with the state and what opens the
// targets.
func restics(c part.Context, command ...string) part.Service {
	return part.Service{
		Program: workload.Program{
			Command:     helper(c, schedules.Folder, command...),
			Environment: map[string]string{"RESTIC_CACHE_DIR": path.Join(stateFolder, "cache")}, // /tmp is memory
			Limits:      workload.Limits{CPUs: c.Backup.CPUs, Memory: int64(c.Backup.Memory), Key: component},
			User:        c.Backend.User,
			Home:        true,
		},
		Image:   filesService,
		Secrets: credentials(c, key, secret, sshKey, filesSecret),
		Mounts:  []part.Mount{volume(stateVolume, stateFolder, false), {Kind: workload.Tmpfs, Target: "/tmp"}},
		After:   ground(c),
	}
}

func backUp(c part.Context) (part.Service, error) {
	files := FilesPlace(c.Config, c.Stack)
	cfg := c.Backup.Files
	words := append([]string{"files", "--state=" + stateFolder, "--source=" + sourceFolder,
		fmt.Sprintf("--keep-daily=%d", cfg.KeepDaily), fmt.Sprintf("--keep-weekly=%d", cfg.KeepWeekly), fmt.Sprintf("--keep-monthly=%d", cfg.KeepMonthly)},
		told(c, files.String())...)
	if m, there := DatabaseVolume(c); there {
		words = append(words, "--database="+sourceOf(m, c.DatabaseFile()), "--replicator="+replicatorURL)
	}
	if c.RunsPostgres() {
		longest, err := cron.Longest(c.Database.Dump.Cron, c.Backup.TimeZone)
		if err != nil {
			return part.Service{}, err
		}
		words = append(words, "--dump="+path.Join(sourceFolder, DumpVolume), "--dump-age="+(longest+late).String())
	}
	if c.BacksUpQueue() {
		longest, err := cron.Longest(config.QueueCopyCron, c.Backup.TimeZone)
		if err != nil {
			return part.Service{}, err
		}
		words = append(words, "--queue="+path.Join(sourceFolder, QueueVolume), "--queue-age="+(longest+late).String())
	}
	if cfg.AppendOnly {
		words = append(words, "--append-only")
	}
	for _, pattern := range cfg.Exclude {
		words = append(words, "--exclude="+pattern)
	}
	s := restics(c, words...)
	s.Networks = networks(files)
	s.Mounts = append(s.Mounts, targetMounts(false, files)...)
	for _, v := range c.Offered.Volumes {
		s.Mounts = append(s.Mounts, volume(v.Name, path.Join(sourceFolder, v.Name), true))
	}
	if slices.ContainsFunc(c.Offered.Volumes, func(v part.Volume) bool { return v.Owner != "" && v.Owner != c.Backend.User }) {
		readingAll(c, &s)
	}
	return s, nil
}

// replicatorURL is where the helper of the replicator answers.
var replicatorURL = fmt.Sprintf("http://%s:%d", replicator, port)

// sourceOf is where a file of a volume is in the container that backs up.
func sourceOf(m part.Mount, file string) string {
	return path.Join(sourceFolder, m.Source, file[len(m.Target):])
}

// readingAll has a service read what is others', too. An engine gives capabilities to root alone:
// the helper begins as root, and goes on as the user with the one that reads.
func readingAll(c part.Context, s *part.Service) {
	s.Command = append(helper(c, schedules.Folder, "as", s.User, "--"), s.Command...)
	s.User, s.Root = "0:0", "it becomes the application's user, who may read what is other users'"
	s.Capabilities = []string{"DAC_READ_SEARCH", "SETGID", "SETUID"}
}
