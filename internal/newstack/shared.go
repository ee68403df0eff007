package newstack

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"tarot-platform/internal/config"
)

// stores are the beginnings of addresses of what stores something.
var stores = []string{"postgres", "mysql", "mariadb", "mongodb", "redis", "rediss", "valkey", "amqp", "amqps", "s3", "mssql", "oracle", "nats", "kafka", "clickhouse"}

// Shared are the values by which a stack made of this one would have the other one's data: an
// address of a database or of another store that is not the stack's own. Without a password in them.
func Shared(cfg config.Config) []Value {
	var all []Value
	add := func(key, text string) {
		scheme, rest, found := strings.Cut(text, "://")
		scheme, _, _ = strings.Cut(strings.ToLower(scheme), "+")
		if scheme == "postgresql" {
			scheme = "postgres"
		}
		if !found || !slices.Contains(stores, scheme) || own(cfg, rest) {
			return
		}
		if parsed, err := url.Parse(text); err == nil {
			text = parsed.Redacted()
		} else {
			text = scheme + "://…"
		}
		all = append(all, Value{key, text})
	}
	add("backend.databaseUrl", cfg.Backend.DatabaseURL)
	for _, name := range slices.Sorted(maps.Keys(cfg.Backend.Environment)) {
		add("backend.environment."+name, cfg.Backend.Environment[name])
	}
	for _, service := range slices.Sorted(maps.Keys(cfg.Services)) {
		for _, name := range slices.Sorted(maps.Keys(cfg.Services[service].Environment)) {
			add("services."+service+".environment."+name, cfg.Services[service].Environment[name])
		}
	}
	if cfg.Backup.Enabled && cfg.Backup.Target != "" {
		all = append(all, Value{"backup.target", cfg.Backup.Target})
	}
	return all
}

// own is true for an address inside the stack's own networks: a service of its own, by its name.
func own(cfg config.Config, rest string) bool {
	_, after, found := strings.Cut(rest, "@")
	if !found {
		after = rest
	}
	host := strings.FieldsFunc(after, func(r rune) bool { return strings.ContainsRune(":/?#", r) })
	if len(host) == 0 {
		return true
	}
	_, service := cfg.Services[host[0]]
	return service || !strings.Contains(host[0], ".") && slices.Contains([]string{"postgres", "pooler", "cache", "valkey", "redis", "localhost"}, host[0])
}
