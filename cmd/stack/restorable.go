package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/backup"
	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/components/postgres"
	"tarot-platform/components/valkey"
	"tarot-platform/internal/backup/target"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
	"tarot-platform/internal/restore"
	"tarot-platform/internal/restore/task"
	"tarot-platform/internal/state"
)

const (
	// migrateTime is how long a migration of what is restored may take, as in a deploy.
	migrateTime = 15 * time.Minute
	// smokeTime is how long the application may take until it answers.
	smokeTime = time.Minute
	// replicator is the program that has the lock of the database, and rehearsal the one that a
	// restore is rehearsed in.
	replicator = "backup-replicator"
	rehearsal  = "backup-rehearsal"
)

// settings are the stack's configuration with its secrets in clear, as what runs now has it: a
// release that was returned to has its own.
func (d deployed) settings(ctx context.Context) (config.Config, error) {
	var all map[string]setting
	if err := pulumi(ctx, &all, "config", "--stack", d.name, "--show-secrets"); err != nil {
		return config.Config{}, err
	}
	raw := map[string]string{}
	for key, s := range all {
		raw[key] = s.Value
	}
	records, err := d.docker.Releases(ctx, d.prefix)
	if err != nil {
		return config.Config{}, err
	}
	if len(records) > 0 && records[0].PinnedBy != "" && raw[pin] != "" {
		for _, key := range release.Keys {
			delete(raw, config.Namespace+":"+key)
			if value, has := records[0].Configuration[config.Namespace+":"+key]; has {
				raw[config.Namespace+":"+key] = value
			}
		}
	}
	if raw, err = config.WithEnvironmentFile(raw); err != nil {
		return config.Config{}, err
	}
	cfg, err := config.Decode(raw)
	if err != nil {
		return cfg, err
	}
	app, err := cfg.ReadApplication()
	if err != nil {
		return cfg, err
	}
	cfg = cfg.With(app)
	err = d.keepMaintenance(ctx, &cfg)
	return cfg, err
}

// backupKey is the key of the backups: the configuration's, or the generated one, which the
// state has.
func (d deployed) backupKey(ctx context.Context, cfg config.Config) (string, error) {
	if given := cfg.Secrets["backupKey"]; given != "" {
		return given, nil
	}
	out, err := state.Ask(ctx, "stack", "export", "--stack", d.name, "--show-secrets")
	if err != nil {
		return "", err
	}
	return keyIn(out, d.name)
}

// keyResource is how the URN of the resource ends that generates it.
const keyResource = "::credentials-backup-key"

// keyIn is the generated key in a state that was exported with its secrets.
func keyIn(export []byte, stack string) (string, error) {
	var exported struct {
		Deployment struct {
			Resources []struct {
				URN, Type string
				Delete    bool
				Outputs   struct{ Result any }
			}
		}
	}
	if err := json.Unmarshal(export, &exported); err != nil {
		return "", fmt.Errorf("pulumi stack export: %w", err)
	}
	for _, r := range exported.Deployment.Resources {
		if r.Delete || r.Type != "random:index/randomPassword:RandomPassword" || !strings.HasSuffix(r.URN, keyResource) {
			continue
		}
		key, err := clear(r.Outputs.Result)
		if err != nil {
			return "", fmt.Errorf("pulumi stack export: backupKey: %w", err)
		}
		return key, nil
	}
	return "", fmt.Errorf("the stack %s has no key of its backups yet: it is made by the first `pulumi up` with tarot:backup.enabled", stack)
}

// clear is a value of a state in which secrets were decrypted: they are JSON in an object there.
func clear(value any) (string, error) {
	if text, is := value.(string); is {
		return text, nil
	}
	object, _ := value.(map[string]any)
	text, is := object["plaintext"].(string)
	if !is {
		return "", errors.New("it is not there in clear")
	}
	var key string
	err := json.Unmarshal([]byte(text), &key)
	return key, err
}

// restorable is what is restored of a stack, as its parts describe it.
func (d deployed) restorable(ctx context.Context) (restore.Stack, error) {
	cfg, err := d.settings(ctx)
	if err != nil {
		return restore.Stack{}, err
	}
	if !cfg.Backup.Enabled {
		return restore.Stack{}, fmt.Errorf("tarot:backup.enabled is false for %s, and what is backed up is not known to it; allowed: true, and `pulumi up`", d.name)
	}
	key, err := d.backupKey(ctx, cfg)
	if err != nil {
		return restore.Stack{}, err
	}
	s, err := stackOf(cfg, d.name, d.prefix, key)
	if err != nil {
		return s, err
	}
	return d.withServer(ctx, s)
}

// withServer has what needs the server's programs run in the image that it runs in, which is one of the stack's own
// where it is archived.
func (d deployed) withServer(ctx context.Context, s restore.Stack) (restore.Stack, error) {
	if s.Request.Server == nil {
		return s, nil
	}
	image, err := d.docker.ImageOf(ctx, d.prefix, s.Request.Server.Name)
	s.Work.Image, s.Recover.Image = image, image
	return s, err
}

// stackOf is the same of a configuration.
func stackOf(cfg config.Config, name, prefix, key string) (restore.Stack, error) {
	secrets := cfg.Secrets
	cfg.Nginx.TLS.Mode = "off" // a certificate that is given is no matter here
	c := part.Context{Config: cfg, Stack: prefix, Site: part.Site{URL: "https://localhost"}, Release: part.Release{Image: cfg.Backend.Image, Images: map[string]string{}}}
	for service, s := range cfg.Services {
		c.Release.Images[service] = s.Image
	}
	described, err := part.Collect(parts.All, c)
	if err != nil {
		return restore.Stack{}, err
	}
	request := task.Request{Stack: prefix, Exclude: cfg.Backup.Files.Exclude,
		Target:     told(cfg, prefix, cfg.Backup.Target),
		Files:      told(cfg, prefix, cmp.Or(cfg.Backup.Files.Target, cfg.Backup.Target)),
		Litestream: path.Join(task.Tools, backup.LitestreamFile(c)),
		Smoke:      smokeOf(cfg)}
	if request.Volumes, request.Database, err = volumesOf(c, described); err != nil {
		return restore.Stack{}, err
	}
	request.Server = postgres.Restored(c)
	base := engine.Once{Name: restore.Kind + "-step", Image: cfg.Backup.FilesImage, User: "0:0", Command: []string{path.Join(task.Tools, "backup"), "restore"},
		Mounts: []engine.OnceMount{{Source: prefix + "-backup-tools", Target: task.Tools, ReadOnly: true}}, Memory: int64(cfg.Backup.Memory)}
	ask := base
	ask.Network = prefix + "-" + networkOf(cfg, part.Inner)
	work := base
	// Root, as a volume may be any user's, and what comes back belongs to whom it belonged.
	work.Capabilities = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER"}
	work.Mounts = append(slices.Clone(base.Mounts), engine.OnceMount{Source: prefix + "-backup-state", Target: task.State})
	for _, v := range request.Volumes {
		work.Mounts = append(work.Mounts, engine.OnceMount{Source: v.Engine, Target: v.Folder()})
	}
	if s := request.Server; s != nil {
		work.Mounts = append(work.Mounts, engine.OnceMount{Source: prefix + "-" + s.Volume, Target: path.Join(task.Volumes, s.Volume)})
	}
	if s := request.Server; s != nil && s.Archive != "" {
		work.Mounts = append(work.Mounts, engine.OnceMount{Source: prefix + "-" + s.Data, Target: path.Join(task.Volumes, s.Data)})
	}
	fetch := work
	if s := request.Server; s != nil { // its programs are in its image, and let in its user alone
		work.Image = cfg.Database.ServerImage()
		work.Mounts = append(slices.Clone(work.Mounts), engine.OnceMount{Source: prefix + "-" + postgres.Socket, Target: s.Socket, ReadOnly: true})
		work.Capabilities = append(slices.Clone(work.Capabilities), "SETGID", "SETUID")
	}
	fetch.Again, fetch.Files = true, map[string][]byte{}
	for file, value := range map[string]string{"backup_key": key, "backup_secret": secrets["backupSecret"], "backup_ssh_key": secrets["backupSshKey"], "backup_files_secret": secrets["backupFilesSecret"]} {
		if value != "" {
			fetch.Files[path.Join(task.Secrets, file)] = []byte(value)
		}
	}
	places := []target.Target{backup.Place(cfg, prefix), backup.FilesPlace(cfg, prefix)}
	for _, t := range places {
		if t.Remote() {
			fetch.Network = prefix + "-" + networkOf(cfg, part.Edge)
		}
	}
	if mount, local := targetMount(prefix, places); local {
		fetch.Mounts = append(slices.Clone(fetch.Mounts), mount)
	}
	s := restore.Stack{Name: name, Prefix: prefix, Request: request, Fetch: fetch, Work: work, Recover: recovering(c, work, fetch), Ask: ask, Clients: clientsOf(described, connected),
		Order: func(workload string) int { return order(cfg, workload) }, Serves: func(workload string) bool { return serves(cfg, workload) }}
	if valkey.Restored(c) != nil {
		s.QueueClients = clientsOf(described, valkey.Client)
	}
	if cfg.Nginx.Enabled {
		s.Nginx, s.Close = "nginx", []string{"touch", assets.ClosedFile}
		if !cfg.Maintenance {
			s.Open = []string{"rm", "-f", assets.ClosedFile}
		}
	}
	if len(cfg.Backend.Migrate) > 0 {
		s.Migrate, s.MigrateTime = "migrate", migrateTime
	}
	return s, nil
}

// recovering is the one-off that restores of the archive: it has the server's image, and what opens the archive. It starts
// a server, as that one's user, and ends it.
func recovering(c part.Context, work, fetch engine.Once) engine.Once {
	if !c.RunsPostgres() || !c.Archives() {
		return engine.Once{}
	}
	once := work
	once.Again, once.Files = true, fetch.Files
	once.Capabilities = append(slices.Clone(work.Capabilities), "KILL")
	once.Memory = max(work.Memory, 512<<20)
	switch t := postgres.ArchivePlace(c); t.Kind {
	case target.Volume:
		once.Mounts = append(slices.Clone(work.Mounts), engine.OnceMount{Source: c.Stack + "-" + postgres.ArchiveVolume, Target: task.Target, ReadOnly: true})
	case target.Folder:
		once.Mounts = append(slices.Clone(work.Mounts), engine.OnceMount{Source: t.Path, Target: task.Target, Host: true, ReadOnly: true})
	default:
		once.Network = c.Stack + "-" + networkOf(c.Config, part.Edge)
	}
	return once
}

// volumesOf are those that are backed up, and where the database is in them.
func volumesOf(c part.Context, described []part.Described) (all []task.Volume, database *task.Database, err error) {
	for _, d := range described {
		for _, v := range d.Volumes {
			if v.Backup && v.Unused == "" && v.Name != backup.DumpVolume && v.Name != backup.QueueVolume { // these go into servers
				all = append(all, task.Volume{Name: v.Name, Engine: v.Engine, Gains: v.Name == "static"})
			}
		}
	}
	if queue := valkey.Restored(c); queue != nil {
		all = append(all, *queue)
	}
	slices.SortFunc(all, func(a, b task.Volume) int { return strings.Compare(a.Name, b.Name) })
	if len(all) == 0 {
		return nil, nil, errors.New("this stack has no volume that is backed up: there is nothing to restore")
	}
	if m, there := backup.DatabaseVolume(c); there {
		file := c.DatabaseFile()
		database = &task.Database{Volume: m.Source, File: strings.TrimPrefix(file, m.Target+"/"), Live: file}
	}
	return all, database, nil
}

// loggingIn is true for what logs in to the stack's own PostgreSQL.
func loggingIn(s part.Service) bool {
	return slices.ContainsFunc(s.Secrets, func(f part.SecretFile) bool { return f.Secret == backup.DatabasePassword })
}

// connected is true for what has connections to it, with whose database nothing can be done meanwhile.
func connected(s part.Service) bool { return loggingIn(s) || s.Name == postgres.Pooler }

// clientsOf are the workloads that are somebody's clients.
func clientsOf(described []part.Described, is func(part.Service) bool) (all []string) {
	for _, d := range described {
		for _, s := range d.Services {
			if is(s) {
				all = append(all, s.Name)
			}
		}
	}
	return all
}

// told are the words by which the helper knows a target.
func told(cfg config.Config, prefix, text string) []string {
	all := []string{"--stack=" + prefix, "--target=" + text, "--secrets=" + task.Secrets}
	if cfg.Backup.AccessKey != "" {
		all = append(all, "--access-key="+cfg.Backup.AccessKey)
	}
	if cfg.Backup.HostKey != "" {
		all = append(all, "--host-key="+cfg.Backup.HostKey)
	}
	return all
}

// targetMount is a target's volume or folder; there is one at most.
func targetMount(prefix string, places []target.Target) (engine.OnceMount, bool) {
	for _, t := range places {
		switch t.Kind {
		case target.Volume:
			return engine.OnceMount{Source: prefix + "-backup", Target: task.Target, ReadOnly: true}, true
		case target.Folder:
			return engine.OnceMount{Source: t.Path, Target: task.Target, Host: true, ReadOnly: true}, true
		}
	}
	return engine.OnceMount{}, false
}

// networkOf is the name of the network that stands for another.
func networkOf(cfg config.Config, name string) string {
	for _, n := range part.Networks(cfg) {
		if slices.Contains(n.StandsFor, name) {
			return n.Name
		}
	}
	return name
}

// smokeOf is what the application has to answer, asked past nginx, by the site's own name.
// Static files are nginx'.
func smokeOf(cfg config.Config) task.Smoke {
	name := "localhost"
	if len(cfg.Nginx.ServerNames) > 0 {
		name = strings.Replace(cfg.Nginx.ServerNames[0], "*.", "www.", 1)
	}
	asked := cfg.Backend.Smoke
	return task.Smoke{Base: fmt.Sprintf("http://%s:%d", name, cfg.Backend.Port), Connect: config.BackendName, Header: map[string]string{"X-Forwarded-Proto": "https"},
		Health: cfg.Backend.HealthPath(), Read: asked.Read, Write: asked.Write, Body: asked.Body, Admin: asked.Admin, Within: smokeTime}
}

// order sorts what has the volumes, for stopping: what comes by itself, what works, what users
// ask, what these need, and what replicates.
func order(cfg config.Config, workload string) int {
	_, service := cfg.Services[workload]
	switch {
	case strings.HasPrefix(workload, config.ScheduleWorkload("")):
		return 0
	case workload == rehearsal:
		return 1
	case service:
		return 2
	case workload == config.BackendName:
		return 3
	case workload == replicator:
		return 5
	}
	return 4
}

// serves is true for what users are served by, and what that needs.
func serves(cfg config.Config, workload string) bool {
	at := order(cfg, workload)
	return at == 3 || at == 4
}
