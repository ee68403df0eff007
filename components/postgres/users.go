package postgres

import (
	_ "embed" // the script
	"fmt"
	"net/url"
	"strconv"
	"time"

	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

const (
	// owner is the role that all of the application's is of, and nobody logs in as; and the
	// database's name.
	owner    = "app"
	database = "app"
	// passwordSecret is the application's.
	passwordSecret = "databasePassword"
	// passwordLength is in characters of 62: 190 bits.
	passwordLength = 32
)

//go:embed users.sh
var usersScript string

// Users are the accounts, and what the application is told of its own.
//
// Another password is another account. While one is replaced both are good: the new one before
// the first replica with it starts, and the old one until nobody asks a replica that has it. An
// `up` that fails in between leaves both. A session that is open goes on in any case.
type Users struct{}

// Name implements part.Part.
func (Users) Name() string { return Name + "-users" }

// Spec implements part.Part.
func (Users) Spec(c part.Context) (part.Spec, error) {
	if !c.HasPostgres() {
		return part.Spec{}, nil
	}
	add := users(c, Name+"-users", part.Before)
	add.Again = []string{Name}
	only := users(c, Name+"-users-only", part.Drained, "only")
	only.Again = []string{Name, add.Name} // also where nothing of its own has changed since it ran
	s := part.Spec{
		Component: component,
		Needs:     []string{Name},
		Jobs:      []part.Job{add, only},
		// There is no own value: of a weak one the account's name would tell something.
		Secrets: []part.Secret{{Name: passwordSecret, Length: passwordLength, Version: c.SecretVersions.DatabasePassword, Rotates: "databasePassword"}},
	}
	if c.RunsPostgres() { // and is not only to be ready
		if !c.Pools() { // which tells its own
			s.Application = addresses(c)
		}
		s.Application = append(s.Application, part.Variable{Name: "DB_POOL_SIZE", Value: strconv.Itoa(c.Database.Pool)},
			part.Variable{Name: "DB_MAX_OVERFLOW", Value: strconv.Itoa(c.Database.Overflow)})
	}
	return s, nil
}

// users is a job that tells the server of the accounts. It has no password, and what it has lets
// nobody in.
func users(c part.Context, called string, when part.When, mode ...string) part.Job {
	words := append([]string{"/bin/sh", workload.ConfigDir + "/users.sh", strconv.Itoa(c.Database.Version), "all"}, c.Database.Extensions...)
	if len(mode) > 0 {
		words = append(words[:3:3], mode...)
	}
	s := Tool(c, called, words...)
	s.Files = []part.File{{Name: "users.sh", Text: part.Plain(usersScript)}}
	if c.Pools() && len(mode) == 0 {
		// In one job, as a restore runs it again.
		s.Command[1] = workload.ConfigDir + "/pooler.sh"
		s.Files = append(s.Files, part.File{Name: "pooler.sh", Text: part.Plain(poolerScript)})
	}
	s.Secrets = []part.SecretFile{{Name: "role", Secret: passwordSecret, Make: Role}, {Name: "verifier", Secret: passwordSecret, Make: Verifier}}
	return part.Job{Service: s, When: when, Within: 2 * time.Minute}
}

// addresses are what the application finds the database by: through the pooler where there is one, but
// for what needs a session of its own. They are exported, as hardly a program reads a file.
func addresses(c part.Context) []part.Variable {
	direct := func(password string) (string, error) { return Address(c.Database.Scheme, password) }
	if !c.Pools() {
		return []part.Variable{{Name: "DATABASE_URL", Secret: passwordSecret, Export: true, Make: direct}}
	}
	pooled := func(password string) (string, error) {
		return addressAt(Pooler, poolerPort, c.Database.Scheme, password)
	}
	return []part.Variable{
		{Name: "DATABASE_URL", Secret: passwordSecret, Export: true, Make: pooled, Direct: direct},
		{Name: "DATABASE_DIRECT_URL", Secret: passwordSecret, Export: true, Make: direct},
	}
}

// Address is where whoever has a password finds the database's server.
func Address(scheme, password string) (string, error) {
	return addressAt(Name, Port, scheme, password)
}

func addressAt(host string, port int, scheme, password string) (string, error) {
	role, err := Role(password)
	u := url.URL{Scheme: scheme, User: url.UserPassword(role, password), Host: fmt.Sprintf("%s:%d", host, port), Path: database}
	return u.String(), err
}
