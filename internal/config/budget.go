package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Need is connections to the database that one kind of process has.
type Need struct {
	// What they are of, as an error says it.
	What string
	// Processes is how many there are at most at a time, and Each what one of them may open.
	Processes, Each int
}

// Peak is the most connections that there may be at a moment, which is one in a release: the
// replicas of both run then.
func (cfg Config) Peak() []Need {
	replicas, why := cfg.peakReplicas()
	workers := cfg.processes()
	all := []Need{{
		fmt.Sprintf("%s with %s of %d connections each (database.pool %d + database.overflow %d) and one for a health check", why, count(workers, "worker"), cfg.each(),
			cfg.told("DB_POOL_SIZE", cfg.Database.Pool), cfg.told("DB_MAX_OVERFLOW", cfg.Database.Overflow)),
		replicas, workers*cfg.each() + 1,
	}}
	for _, name := range slices.Sorted(maps.Keys(cfg.Services)) {
		s := cfg.Services[name]
		if each := cfg.connectionsOf(s); each > 0 {
			all = append(all, Need{fmt.Sprintf("the service %s (services.%[1]s.connections)", name), cfg.peakOf(s), each})
		}
	}
	if schedules := len(cfg.Scheduled()); schedules > 0 {
		all = append(all, Need{"schedules", schedules, 1})
	}
	return all
}

// peakReplicas are those of the backend.
func (cfg Config) peakReplicas() (number int, why string) {
	replicas := cfg.Backend.Replicas
	said := fmt.Sprintf("backend.replicas %d", replicas)
	switch {
	case cfg.Backend.PublishPort != 0 || cfg.Backend.DebuggerPort != 0: // a host port has one owner
		return replicas, fmt.Sprintf("there is %s of the backend (%s)", count(replicas, "replica"), said)
	case cfg.Runtime == "swarm":
		return replicas + 2, fmt.Sprintf("in a release there are %d replicas of the backend for a moment (%s, one that is verified and one that starts before another stops)", replicas+2, said)
	}
	return 2 * replicas, fmt.Sprintf("in a release there are %d replicas of the backend for a moment (%s, twice as containers)", 2*replicas, said)
}

// peakOf is how many containers of a service there are at most.
func (cfg Config) peakOf(s Service) int {
	switch {
	case s.StopsFirst():
		return s.Replicas
	case cfg.Runtime == "swarm":
		return s.Replicas + 1
	}
	return 2 * s.Replicas
}

// connectionsOf is what one container of a service may open.
func (cfg Config) connectionsOf(s Service) int {
	if s.Connections == 0 && s.OfBackend() {
		return cfg.each()
	}
	return s.Connections
}

// each is what one process of the application may open.
func (cfg Config) each() int {
	return cfg.told("DB_POOL_SIZE", cfg.Database.Pool) + cfg.told("DB_MAX_OVERFLOW", cfg.Database.Overflow)
}

// processes are those of a replica: which of the two variables it reads is the application's.
func (cfg Config) processes() int {
	return max(cfg.told("WORKERS", cfg.Backend.Workers), cfg.told("WEB_CONCURRENCY", cfg.Backend.Workers))
}

// told is the number that the application finds in a variable: one of the stack file's own goes
// before the platform's.
func (cfg Config) told(variable string, otherwise int) int {
	if n, err := strconv.Atoi(strings.TrimSpace(cfg.Backend.Environment[variable])); err == nil && n >= 0 {
		return n
	}
	return otherwise
}

// checkBudget refuses fewer connections than there may be: PostgreSQL refuses those that are too
// many, and that would be in the middle of a release.
func (cfg Config) checkBudget(c *checker) {
	if cfg.Pools() {
		cfg.checkPool(c)
		return
	}
	needed, lines := cfg.atPeak()
	needed += cfg.Database.Reserve
	if needed <= cfg.Database.Connections {
		return
	}
	c.add(Fault{Namespace, "database.connections", quote(cfg.Database.Connections), fmt.Sprintf("at least %d: %s; and database.reserve keeps %d. Or fewer: backend.workers, database.overflow",
		needed, strings.Join(lines, "; "), cfg.Database.Reserve)})
}

// atPeak is how many connections the peak has, and what they are of, as an error says it.
func (cfg Config) atPeak() (needed int, lines []string) {
	for _, n := range cfg.Peak() {
		needed += n.Processes * n.Each
		lines = append(lines, fmt.Sprintf("%s, which is %d", n.What, n.Processes*n.Each))
	}
	return needed, lines
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
