package compose

import (
	"cmp"
	"slices"

	"tarot-platform/internal/config"
)

// Result is what has become of a project.
type Result struct {
	// Config has been validated, with the secrets' own values, which no stack file gets.
	Config config.Config
	// Became says of each service what it is here.
	Became []Became
	// Missed is all that was not taken over as it was.
	Missed []Line
	// Secrets have to be set before the first `up`.
	Secrets []Secret
	// Data have to be looked at before the first `up`.
	Data []Data
}

// Became is where a service has gone.
type Became struct{ Service, As string }

// Line is one thing that was not taken over as it was.
type Line struct {
	// Key is Compose's.
	Key string
	// Why it was not.
	Why string
	// Mend is what to do about it.
	Mend string
}

// Secret is a value that no stack file may have in clear.
type Secret struct {
	// Name is its key below config.Namespace.
	Name string
	// From is where Compose had it.
	From  string
	value string
}

// Value is what it is.
func (s Secret) Value() string { return s.value }

// Data are what a container of Compose's has stored.
type Data struct {
	// From is the volume of the engine, or the folder of its host, that has them.
	From string
	// To is the volume that is going to be used; the same as From: as it is.
	To string
	// Of is what uses it, and Path where.
	Of, Path string
	// User owns what is in there, from now on.
	User string
}

func (r *Result) miss(key, why, mend string) {
	line := Line{key, why, mend}
	if !slices.Contains(r.Missed, line) {
		r.Missed = append(r.Missed, line)
	}
}

func (r *Result) became(service, as string) { r.Became = append(r.Became, Became{service, as}) }

// secret has a value set by its owner. One name has one value: false where it has another
// one already.
func (r *Result) secret(name, from, value string) bool {
	for _, s := range r.Secrets {
		if s.Name == name {
			return s.value == value
		}
	}
	r.Secrets = append(r.Secrets, Secret{name, from, value})
	return true
}

func (r *Result) sort() {
	slices.SortFunc(r.Became, func(a, b Became) int { return cmp.Compare(a.Service, b.Service) })
	slices.SortStableFunc(r.Missed, func(a, b Line) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(r.Secrets, func(a, b Secret) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Data, func(a, b Data) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
}
