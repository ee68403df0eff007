// Package postgres is a PostgreSQL for the application. It has three parts. The server comes
// before the application; so do its accounts, which need it; and what watches it comes after both.
//
// Nobody has a superuser's password, as there is none: who is that logs in through the server's
// socket, by the number of the user that he runs as. The socket's folder is a volume that what
// belongs to the server mounts, and the application never does.
package postgres

import (
	_ "embed" // the scripts
	"fmt"
	"strconv"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

const (
	// Name is the server's, and so its DNS name, and Port where it listens.
	Name = "postgres"
	Port = 5432
	// Socket is the volume with the server's socket.
	Socket = "postgres-socket"
	// SocketFolder is where that is in containers.
	SocketFolder = "/var/run/postgresql"
	// user is the official image's, and the one that is superuser by the socket.
	user = "999:999"
	// component is what the state knows all of it by.
	component = "database"
	// layout is the job that looks at the volume before a server does.
	layout = "postgres-layout"
)

// Where volumes are in containers.
const (
	dataFolder   = "/var/lib/postgresql"
	socketFolder = SocketFolder
)

//go:embed start.sh
var startScript string

//go:embed layout.sh
var layoutScript string

// Server is the server. It knows no password, so that another one does not restart it.
type Server struct{}

// Name implements part.Part.
func (Server) Name() string { return Name }

// Spec implements part.Part.
func (Server) Spec(c part.Context) (part.Spec, error) {
	// What is copied of it are the database's own backups: files that change while they are
	// copied are none.
	data := part.Volume{Name: Name, Resource: component + "-" + Name, Engine: config.PostgresVolume(c.Stack), Data: true}
	if !c.HasPostgres() {
		data.Unused = "database.kind is " + c.Database.Kind
		archive := part.Volume{Name: ArchiveVolume, Resource: component + "-" + ArchiveVolume, Engine: c.Stack + "-" + ArchiveVolume, Data: true, Unused: data.Unused}
		return part.Spec{Component: component, Volumes: []part.Volume{data, archive}}, nil
	}
	s := part.Spec{
		Component: component,
		Services:  []part.Service{server(c)},
		Jobs:      []part.Job{look(c, data.Engine)},
		Volumes:   []part.Volume{data, {Name: Socket, Resource: component + "-" + Socket, Engine: c.Stack + "-" + Socket}},
		Images:    []part.Image{image(c)},
		Warnings:  warnings(c),
	}
	if c.Database.NextVersion() != 0 {
		s.Images = append(s.Images, nextImage(c))
	}
	archived(c, &s)
	return s, nil
}

// nextImage is that of the version which an upgrade leads to: nobody waits for it behind the maintenance page.
func nextImage(c part.Context) part.Image {
	i := part.Image{Name: Name + "-next", Reference: config.DatabaseVersions[c.Database.NextVersion()], Component: component}
	i.SetUp = i.Reference
	if c.Archives() {
		build := c.ArchivingNext.Build
		i.Reference, i.Build = c.ArchivingNext.Reference, &build
	}
	return i
}

func image(c part.Context) part.Image {
	i := part.Image{Name: Name, Reference: c.Database.ServerImage(), Component: component}
	i.SetUp = i.Reference
	if c.Database.Image != "" {
		i.Key = "database.image"
	}
	if c.Archives() { // an image of our own, of that one
		build := c.Archiving.Build
		i.Reference, i.Build = c.Archiving.Reference, &build
	}
	return i
}

func warnings(c part.Context) []string {
	var all []string
	if said := c.Database.MemoryWarning(); said != "" {
		all = append(all, said)
	}
	if c.Secrets[config.DatabaseURLSecret] != "" {
		all = append(all, fmt.Sprintf("the secret %s:%s is not used, as database.kind is %s", config.Namespace, config.DatabaseURLSecret, c.Database.Kind))
	}
	return all
}

func server(c part.Context) part.Service {
	version := strconv.Itoa(c.Database.Version)
	hba, ident := letIn(c)
	return part.Service{
		Program: workload.Program{
			Name:    Name,
			Command: []string{"/bin/sh", workload.ConfigDir + "/start.sh", version},
			// Over the network, where it answers when it is ready and not before. As an account
			// that would be asked for its password: the log has nothing of it. A recovery may take
			// minutes, and would begin again if it were ended.
			Health: workload.Health{
				Test:     []string{"CMD", "/usr/lib/postgresql/" + version + "/bin/pg_isready", "-q", "-h", "127.0.0.1", "-U", owner, "-d", database, "-t", "4"},
				Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 15 * time.Minute, Retries: 3,
			},
			Limits:     workload.Limits{CPUs: c.Database.CPUs, Memory: int64(c.Database.Memory), Key: component},
			Replicas:   1,
			Logging:    c.Log(Name),
			User:       user,
			Exclusive:  true,
			StopSignal: "SIGINT", // it waits for no client, and writes down what it has
			StopGrace:  90 * time.Second,
		},
		Image: Name,
		Files: []part.File{
			{Name: "postgresql.conf", Text: part.Plain(Settings(c.Database))}, {Name: "pg_hba.conf", Text: part.Plain(hba)}, {Name: "pg_ident.conf", Text: part.Plain(ident)},
			{Name: "start.sh", Text: part.Plain(startScript)}, {Name: "layout.sh", Text: part.Plain(layoutScript)},
		},
		Mounts: append([]part.Mount{
			{Kind: workload.Volume, Source: Name, Target: dataFolder},
			{Kind: workload.Volume, Source: Socket, Target: socketFolder},
			{Kind: workload.Tmpfs, Target: "/tmp"},
			{Kind: workload.Tmpfs, Target: "/dev/shm"}, // an engine's own has 64 MB, too little for parallel queries
		}, inPlaceOfImages(c.Database.Version, dataFolder)...),
		Networks: []string{part.Inner},
	}
}

// look is the job that refuses a volume, or settings, that the server could not take, while the
// server of before still runs.
func look(c part.Context, volume string) part.Job {
	place := storage.Place(Name)
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    layout,
				Command: []string{"/bin/sh", workload.ConfigDir + "/layout.sh", strconv.Itoa(c.Database.Version), place, volume, workload.ConfigDir + "/postgresql.conf"},
				Limits:  workload.Limits{Memory: int64(c.Database.Memory)}, // the server's settings are tried
				Logging: c.Log(layout),
				User:    user,
			},
			Image:  Name,
			Files:  []part.File{{Name: "layout.sh", Text: part.Plain(layoutScript)}, {Name: "postgresql.conf", Text: part.Plain(Settings(c.Database))}},
			Mounts: append([]part.Mount{{Kind: workload.Volume, Source: Name, Target: place, ReadOnly: true}}, inPlaceOfImages(c.Database.Version, place)...),
		},
		Within: time.Minute,
	}
}

// inPlaceOfImages is memory where the image of the version declares a volume, or the engine would
// make one without a name for each container; nothing where the data are mounted there.
func inPlaceOfImages(version int, data string) []part.Mount {
	declared := dataFolder
	if version < 18 {
		declared = dataFolder + "/data"
	}
	if declared == data {
		return nil
	}
	return []part.Mount{{Kind: workload.Tmpfs, Target: declared}}
}

// Tool is a program of the server's image that is superuser, for whoever does something for the
// server: it has the server's socket, and no network.
func Tool(c part.Context, name string, command ...string) part.Service {
	return part.Service{
		Program: workload.Program{
			Name:        name,
			Command:     command,
			Environment: map[string]string{"PGHOST": socketFolder, "PGUSER": "postgres"},
			Limits:      workload.Limits{Memory: 64 << 20},
			Logging:     c.Log(name),
			User:        user,
		},
		Image:  Name,
		Mounts: append([]part.Mount{{Kind: workload.Volume, Source: Socket, Target: socketFolder, ReadOnly: true}}, inPlaceOfImages(c.Database.Version, "")...),
	}
}
