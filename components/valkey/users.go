package valkey

import (
	_ "embed"
	"fmt"
	"net/url"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// The secrets. The application's is the one that has a key in the configuration; the
// exporter's is another one whenever that is.
const (
	appPassword      = "cachePassword"
	exporterPassword = "cacheExporterPassword"
	adminPassword    = "cacheAdminPassword"
	healthPassword   = "cacheHealthPassword"
	backupPassword   = "cacheBackupPassword" // of a queue that is backed up

	// passwordLength is in characters of 62: 190 bits. They are kept as hashes that are quick
	// to make.
	passwordLength = 32
)

//go:embed users.sh
var usersScript string

// Users are the accounts that others have, and what the application is told of its own.
//
// They are set in the server that runs, over the network. While a password is replaced both
// are good: the new one before the first replica with it starts, and the old one until nobody
// asks a replica that has it. An `up` that fails in between leaves both.
type Users struct{}

// Name implements part.Part.
func (Users) Name() string { return name + "-users" }

// Spec implements part.Part.
func (Users) Spec(c part.Context) (part.Spec, error) {
	if !c.Cache.Enabled {
		return part.Spec{}, nil
	}
	add := users(c, name+"-users", part.Before)
	add.Again = []string{name} // a volume that is new knows nobody
	only := users(c, name+"-users-only", part.Drained, "only")
	only.Again = []string{name, add.Name} // also where nothing of its own has changed since it ran
	generation := c.SecretVersions.CachePassword
	s := part.Spec{
		Component: component,
		Needs:     []string{name},
		Jobs:      []part.Job{add, only},
		Secrets: []part.Secret{
			{Name: appPassword, Given: c.Secrets[appPassword], Length: passwordLength, Version: generation, Rotates: "cachePassword"},
			{Name: exporterPassword, Length: passwordLength, Version: generation, Rotates: "cachePassword"},
			{Name: adminPassword, Length: passwordLength, Version: c.SecretVersions.CacheServerPassword, Rotates: "cacheServerPassword"},
			{Name: healthPassword, Length: passwordLength, Version: c.SecretVersions.CacheServerPassword, Rotates: "cacheServerPassword"},
		},
		// Exported, as hardly a program reads its file.
		Application: []part.Variable{{Name: "REDIS_URL", Secret: appPassword, Export: true, Make: address}},
	}
	if c.BacksUpQueue() {
		s.Secrets = append(s.Secrets, part.Secret{Name: backupPassword, Length: passwordLength, Version: generation, Rotates: "cachePassword"})
	}
	return s, nil
}

// users is a job that tells the server of the accounts.
func users(c part.Context, called string, when part.When, mode ...string) part.Job {
	secrets := []part.SecretFile{{Name: "admin", Secret: adminPassword}, {Name: "app", Secret: appPassword}, {Name: "exporter", Secret: exporterPassword}}
	if c.BacksUpQueue() {
		secrets = append(secrets, part.SecretFile{Name: "backup", Secret: backupPassword})
	}
	return part.Job{
		Service: part.Service{
			Program: workload.Program{
				Name:    called,
				Command: append([]string{"/bin/sh", workload.ConfigDir + "/users.sh", c.Cache.Profile}, mode...),
				Limits:  workload.Limits{Memory: 32 << 20},
				Logging: c.Log(called),
				User:    user,
			},
			Image:    name,
			Files:    []part.File{{Name: "users.sh", Text: part.Plain(usersScript)}},
			Secrets:  secrets,
			Networks: []string{part.Inner},
		},
		When:   when,
		Within: time.Minute,
		Warns:  "warning: ",
	}
}

// address is what the application finds the server by.
func address(password string) (string, error) {
	u := url.URL{Scheme: "redis", User: url.UserPassword("app", password), Host: fmt.Sprintf("%s:%d", name, port)}
	return u.String(), nil
}
