// Package external is a PostgreSQL that somebody else runs: the application is told of it, and it
// is looked at before anything is changed.
package external

import (
	_ "embed" // the script
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

const (
	name      = "database-check"
	component = "database"
	// image is what the job knows the image by that has psql.
	image = "postgres"
	// user is the image's own, who may do nothing here.
	user = "999:999"
	// caSecret has the certificates: who signs them is no secret, but it has a file in every
	// container of the application's.
	caSecret = "databaseCa"
)

//go:embed check.sh
var script string

// Part looks at the database in each `up`, and tells the application how it is to be trusted.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return "external-database" }

// Spec implements part.Part.
func (Part) Spec(c part.Context) (part.Spec, error) {
	if c.Database.Kind != config.External {
		return part.Spec{}, nil
	}
	ca, err := c.ExternalCA()
	if err != nil {
		return part.Spec{}, err
	}
	s := part.Spec{
		Component: component,
		Images:    []part.Image{{Name: image, Reference: c.Database.ServerImage(), SetUp: c.Database.ServerImage(), Component: component}},
		Jobs:      []part.Job{check(c, ca != "")},
		Warnings:  c.ExternalWarnings(),
		// libpq reads these, and so do asyncpg and what else is like it.
		Application: []part.Variable{
			{Name: "DB_POOL_SIZE", Value: strconv.Itoa(c.Database.Pool)},
			{Name: "DB_MAX_OVERFLOW", Value: strconv.Itoa(c.Database.Overflow)},
			{Name: "PGSSLMODE", Value: c.Database.External.TLS},
		},
	}
	if c.Database.Image != "" {
		s.Images[0].Key = "database.image"
	}
	switch {
	case ca != "":
		s.Secrets = append(s.Secrets, part.Secret{Name: caSecret, Given: ca})
		s.Application = append(s.Application, part.Variable{Name: "PGSSLROOTCERT", Secret: caSecret, Path: true})
	case c.Database.External.TLS == "verify-full":
		s.Application = append(s.Application, part.Variable{Name: "PGSSLROOTCERT", Value: "system"})
	}
	return s, nil
}

// check is the job that looks: once for each release, and for whatever else it is made of.
func check(c part.Context, ca bool) part.Job {
	root := ""
	if c.Database.External.TLS == "verify-full" {
		root = "system"
	}
	secrets := []part.SecretFile{{Name: "service", Secret: config.DatabaseURLSecret}}
	if ca {
		secrets = append(secrets, part.SecretFile{Name: "ca", Secret: caSecret})
		root = workload.SecretDir + "/ca"
	}
	secrets[0].Make = func(address string) (string, error) { return service(address, c.Database.External.TLS, root) }
	networks := []string{part.Inner}
	if c.Networks.BackendEgress {
		networks = append(networks, part.Edge)
	}
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:        name,
				Command:     []string{"/bin/sh", workload.ConfigDir + "/check.sh", strconv.Itoa(c.Database.Connections)},
				Environment: map[string]string{"PGSERVICEFILE": workload.SecretDir + "/service", "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": name, "RELEASE": c.Release.Image},
				Limits:      workload.Limits{Memory: 64 << 20},
				Logging:     c.Log(name),
				User:        user,
				Hosts:       c.Backend.ExtraHosts,
			},
			Image:    image,
			Files:    []part.File{{Name: "check.sh", Text: part.Plain(script)}},
			Secrets:  secrets,
			Networks: networks,
			// In place of the volume that the image declares, or an engine would make one.
			Mounts: []part.Mount{{Kind: workload.Tmpfs, Target: volumeOf(c.Database.Version)}},
		},
		Within: time.Minute,
	}
}

func volumeOf(version int) string {
	if version < 18 {
		return "/var/lib/postgresql/data"
	}
	return "/var/lib/postgresql"
}

// service is an address as psql reads it from a file.
func service(address, mode, root string) (string, error) {
	a, err := config.AddressOf(address)
	if err != nil {
		return "", fmt.Errorf("%s:%s: %w", config.Namespace, config.DatabaseURLSecret, err)
	}
	all := map[string]string{"host": a.Host, "port": a.Port, "user": a.User, "password": a.Password, "dbname": a.Database, "sslmode": mode}
	if root != "" {
		all["sslrootcert"] = root
	}
	if options := a.More["options"]; options != "" {
		all["options"] = options
	}
	text := "[database]\n"
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if strings.ContainsAny(all[key], "\r\n") {
			return "", fmt.Errorf("%s:%s: a line ends in it", config.Namespace, config.DatabaseURLSecret)
		}
		text += key + "=" + all[key] + "\n"
	}
	return text, nil
}
