package config

import "slices"

// Cache is a Valkey, which is a Redis, for the application: docs/cache.md.
type Cache struct {
	// Run Valkey, and tell the application of it by `REDIS_URL`.
	Enabled bool `key:"enabled" allowed:"true or false"`
	// `cache`: nothing is on the disk, and what was not used for long goes when the
	// memory is full. `queue`: all is on the disk, at most a second late, and writes fail when the
	// memory is full.
	Profile string `key:"profile" allowed:"cache or queue"`
	// The most CPU that it gets, in cores. One does all the work.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that it gets. Swap is off. Data may take 75 % of it, in a queue
	// 60 %.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 32m, such as 256m"`
	// The image: Valkey 8 or later.
	Image string `key:"image" allowed:"an image reference"`
	// The image of redis_exporter, which runs where `monitoring.enabled` is true. It
	// needs a shell and wget, for its health check: the tags that end in -alpine have both.
	ExporterImage string `key:"exporterImage" allowed:"an image reference"`
}

// The schedule that copies a queue, which has a container as a user's has, and when it does: often
// enough that whenever files are backed up there is a new one.
const (
	QueueCopySchedule = "valkey-copy"
	QueueCopyCron     = "5 * * * *"
)

// BacksUpQueue is true where there is a queue, and it is backed up. A cache is filled again.
func (cfg Config) BacksUpQueue() bool {
	return cfg.Cache.Enabled && cfg.Cache.Profile == "queue" && cfg.Backup.Enabled
}

func cacheDefaults() Cache {
	return Cache{Profile: "cache", CPUs: 0.5, Memory: 256 << 20, Image: "valkey/valkey:9.1.2", ExporterImage: "oliver006/redis_exporter:v1.86.0-alpine"}
}

func (v Cache) check(c *checker, cfg Config) {
	c.oneOf("cache.profile", v.Profile, "cache", "queue")
	c.want(v.CPUs >= 0.01, "cache.cpus", v.CPUs)
	c.want(v.Memory >= 32<<20, "cache.memory", v.Memory)
	c.matches("cache.image", v.Image, imageName)
	c.matches("cache.exporterImage", v.ExporterImage, imageName)
	if !v.Enabled {
		return
	}
	if _, taken := cfg.Schedules[QueueCopySchedule]; taken && cfg.BacksUpQueue() {
		c.because("schedules", QueueCopySchedule, "the platform has one of that name where backup.enabled is true and cache.profile is queue")
	}
	const name = "REDIS_URL"
	_, plain := cfg.Backend.Environment[name]
	_, file := cfg.Backend.Environment[name+"_FILE"]
	if plain || file || slices.Contains(cfg.Backend.OwnSecrets(), name) {
		c.add(Fault{Namespace, "cache.enabled", quote(true), "false where backend.environment, backend.secrets or backend.secretEnvironment has a " + name + " of your own"})
	}
}
