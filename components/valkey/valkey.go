// Package valkey is a Valkey (a Redis) for the application: a cache that may be empty at any
// time, or a queue whose tasks are on the disk. It has three parts. The server comes before the
// application; so do its accounts, which need it; and what watches it comes after both.
package valkey

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

const (
	name = "valkey" // the workload's, and so its DNS name
	port = 6379
	user = "999:999" // the official image's, whose /data is this user's
	// component is what the state knows all of it by.
	component = "cache"
)

// off says why the volume is not used where there is no Valkey.
const off = "cache.enabled is false"

//go:embed start.sh
var startScript string

//go:embed health.sh
var healthScript string

// Server is the server. It knows the passwords of the stack's own two accounts only, so that
// another one of the application's does not restart it.
type Server struct{}

// Name implements part.Part.
func (Server) Name() string { return name }

// Spec implements part.Part. The volume is there for a cache as well: the accounts are in it,
// and the engine may restart the server at night.
func (Server) Spec(c part.Context) (part.Spec, error) {
	volume := part.Volume{Name: name, Resource: component + "-" + name, Engine: c.Stack + "-" + name, Data: true}
	if !c.Cache.Enabled {
		volume.Unused = off
		return part.Spec{Component: component, Volumes: []part.Volume{volume}}, nil
	}
	volume.Owner = user // of a queue there are copies, and a cache is filled again
	image := part.Image{Name: name, Reference: c.Cache.Image, SetUp: c.Cache.Image, Key: "cache.image", Component: component}
	return part.Spec{Component: component, Services: []part.Service{server(c)}, Volumes: []part.Volume{volume}, Images: []part.Image{image}}, nil
}

func server(c part.Context) part.Service {
	return part.Service{
		Program: workload.Program{
			Name:      name,
			Command:   []string{"/bin/sh", workload.ConfigDir + "/start.sh"},
			Health:    workload.Health{Test: []string{"CMD", "/bin/sh", workload.ConfigDir + "/health.sh"}, Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: time.Minute, Retries: 3},
			Limits:    workload.Limits{CPUs: c.Cache.CPUs, Memory: int64(c.Cache.Memory), Key: "cache"},
			Replicas:  1,
			Logging:   c.Log(name),
			User:      user,
			Exclusive: true,
			StopGrace: 30 * time.Second, // it writes its file down
		},
		Image: name,
		Files: []part.File{
			{Name: "valkey.conf", Text: part.Plain(settings(c.Cache.Profile == "queue", int64(c.Cache.Memory)))},
			{Name: "start.sh", Text: part.Plain(startScript)}, {Name: "health.sh", Text: part.Plain(healthScript)},
		},
		Secrets:  []part.SecretFile{{Name: "admin", Secret: adminPassword}, {Name: "health", Secret: healthPassword}},
		Mounts:   []part.Mount{{Kind: workload.Volume, Source: name, Target: "/data"}, {Kind: workload.Tmpfs, Target: "/tmp"}},
		Networks: []string{part.Inner},
	}
}

// settings is valkey.conf. The share of the memory that data may take leaves room for what
// lies between them and for clients, and in a queue for the pages that change while a child
// of the server writes its file anew. Clients' buffers do not count as data: without a
// bound of their own, one that reads slowly would have the kernel kill the server.
func settings(queue bool, memory int64) string {
	share, policy, file := int64(75), "allkeys-lru", "no"
	if queue {
		share, policy, file = 60, "noeviction", "yes"
	}
	lines := []string{
		"bind * -::*",
		fmt.Sprintf("port %d", port),
		// The default user is off, and nobody else is let in without a password.
		"protected-mode no",
		"dir /data",
		"aclfile /data/users.acl",
		fmt.Sprintf("maxmemory %d", memory*share/100),
		"maxmemory-policy " + policy,
		"maxmemory-clients 10%",
		"appendonly " + file,
		"appendfsync everysec",
		`save ""`,
		"tcp-keepalive 60",
	}
	return strings.Join(lines, "\n") + "\n"
}
