package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
)

// engineChecks are of the machine and its engine.
var engineChecks = []check{
	{id: "engine", checked: "the Docker engine answers", do: answers},
	{id: "engine-version", checked: "the engine is new enough", do: version},
	{id: "swarm", checked: "the engine takes services", do: swarmManager},
	{id: "clock", checked: "the engine's clock is right", do: clock},
	{id: "disk", checked: "there is room on the disk", do: func(ctx context.Context, p *patient) finding { return p.room(ctx, "room", "room") }},
	{id: "inodes", checked: "there is room for more files", do: func(ctx context.Context, p *patient) finding { return p.room(ctx, "inodes", "inodes") }},
	{id: "old-images", checked: "old images do not fill the disk", do: oldImages},
	{id: "build-cache", checked: "the build cache does not fill the disk", do: buildCache},
	{id: "log-driver", checked: "logs can be read, and do not fill the disk", do: logDriver},
}

var errNoEngine = errors.New("the engine does not answer")

func answers(_ context.Context, p *patient) finding {
	if p.Engine == nil {
		return finding{result: checks.Fail, found: p.EngineError.Error(),
			cause: "it does not run, it is another one than DOCKER_HOST names, or this user may not ask it", mend: "make engine"}
	}
	return pass("Docker %s, %s", p.About.Version, p.About.Platform)
}

// oldest is the first engine that all tests have passed on, and its API.
const oldest, oldestAPI = "20.10", "1.41"

func version(_ context.Context, p *patient) finding {
	if p.Engine == nil {
		return unknown(errNoEngine)
	}
	if older(p.About.Version, oldest) || older(p.About.API, oldestAPI) {
		return finding{result: checks.Fail, found: fmt.Sprintf("Docker %s, API %s", p.About.Version, p.About.API), cause: "it is older than " + oldest + ", with which nothing was tried", mend: "apt-get install --only-upgrade docker-ce"}
	}
	return pass("Docker %s, API %s", p.About.Version, p.About.API)
}

// older compares the numbers of two versions. What has none is not older.
func older(a, b string) bool {
	numbers := func(text string) (all []int) {
		for part := range strings.SplitSeq(text, ".") {
			n, err := strconv.Atoi(strings.TrimLeft(part[:len(part)-len(strings.TrimLeft(part, "0123456789"))], " "))
			if err != nil {
				break
			}
			all = append(all, n)
		}
		return all
	}
	mine := numbers(a)
	return len(mine) > 0 && slices.Compare(mine, numbers(b)) < 0
}

func swarmManager(_ context.Context, p *patient) finding {
	switch {
	case p.Config.Runtime != "swarm" && p.ConfigError == nil:
		return skip("the stack runs in plain containers")
	case p.Engine == nil:
		return unknown(errNoEngine)
	case p.ConfigError != nil:
		return skip("which runtime the stack has is in its file, which can't be read")
	case !p.About.Manager:
		return finding{result: checks.Fail, found: "its place in a swarm is: " + cmp.Or(p.About.Swarm, "none"), cause: "services are told to a manager alone", mend: "docker swarm init"}
	}
	return pass("it is a manager of a swarm")
}

// The clocks of two machines that ask a time server differ by less than skewed; what is signed, as tokens and
// certificates are, fails from wrong on.
const skewed, wrong = 2 * time.Second, 30 * time.Second

func clock(ctx context.Context, p *patient) finding {
	if p.Engine == nil {
		return unknown(errNoEngine)
	}
	now, within, err := p.Engine.Now(ctx)
	if err != nil {
		return unknown(err)
	}
	f := finding{cause: "nobody sets one of the two clocks", mend: "timedatectl set-ntp true"}
	if off := time.Until(now).Abs() - within; off > skewed {
		f.result, f.found = checks.Warn, fmt.Sprintf("it is %s off this machine's: %s there", off.Truncate(time.Second), now.UTC().Format(time.RFC3339))
		if off > wrong {
			f.result = checks.Fail
		}
		return f
	}
	bodies, err := p.bodies.get(ctx)
	if err != nil {
		return unknown(err)
	}
	for _, b := range bodies {
		if made, err := time.Parse(time.RFC3339Nano, b.Created); err == nil && made.Sub(now) > wrong {
			f.result, f.found, f.cause = checks.Fail, fmt.Sprintf("%s was made at %s, and it is %s now", b.Workload.Name, made.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)), "the clock was set back"
			return f
		}
	}
	return pass("it is less than %s off", skewed)
}

// What is left of a disk, in percent, where it is nearly full, and where it is.
const nearly, full = 10, 2

// room goes by what the containers see, and this machine where the engine's files are its own.
func (p *patient) room(ctx context.Context, kind, what string) finding {
	if p.Engine == nil {
		return unknown(errNoEngine)
	}
	insides, err := p.insides.get(ctx)
	if err != nil {
		return unknown(err)
	}
	bodies, _ := p.bodies.get(ctx)
	seen, worst := map[string]string{}, finding{result: checks.Pass}
	look := func(where string, size, free uint64) {
		if size == 0 || seen[where] != "" {
			return
		}
		left := 100 * float64(free) / float64(size)
		seen[where] = fmt.Sprintf("%s has %.0f %% free", where, left)
		if kind == "room" {
			seen[where] += " (" + bytes(free) + ")"
		}
		switch {
		case left <= full:
			seen[where] = strings.Replace(seen[where], "has", "is full: it has", 1)
			worst.result = checks.Fail
		case left <= nearly && worst.result != checks.Fail:
			worst.result = checks.Warn
		}
		if left > nearly {
			seen[where] += " "
		}
	}
	if size, free, inodes, freeInodes, err := roomAt(p.About.Root); err == nil && p.About.Local {
		if kind == "room" {
			look(p.About.Root, size, free)
		} else {
			look(p.About.Root, inodes, freeInodes)
		}
	}
	for _, b := range bodies {
		for _, line := range insides[b.ID].of(kind) {
			if len(line) < 4 {
				continue
			}
			used, err1 := strconv.ParseUint(line[2], 10, 64)
			free, err2 := strconv.ParseUint(line[3], 10, 64)
			if err1 != nil || err2 != nil {
				continue
			}
			where := "the engine's disk"
			if line[0] != "/" {
				where = volumeAt(b, line[0])
			}
			if kind == "room" {
				used, free = used<<10, free<<10
			}
			look(where, used+free, free)
		}
	}
	if len(seen) == 0 {
		return unknown(errors.New("nothing of the stack runs that could be asked, and the engine's disk is not this machine's"))
	}
	if err := unheard(insides); err != nil && worst.result == checks.Pass {
		return unknown(err)
	}
	var said []string
	for _, text := range seen {
		if worst.result == checks.Pass || !strings.HasSuffix(text, " ") {
			said = append(said, strings.TrimSpace(text))
		}
	}
	slices.Sort(said)
	worst.found = strings.Join(said, ", ")
	worst.cause = "what is written next fails, a database's log first"
	worst.mend = "docker system df"
	if what == "inodes" {
		worst.cause = "there are very many small files, and none can be made beside them, however much room there is"
		worst.mend = "du --inodes -xd3 " + p.About.Root + " | sort -n | tail"
	}
	return worst
}

// volumeAt is what people call what is mounted there.
func volumeAt(b body, place string) string {
	for _, m := range b.Mounts {
		if m.Destination == place && m.Name != "" {
			return "the volume " + m.Name
		}
	}
	return place + " in " + b.Workload.Name
}

func bytes(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", n>>10)
}

// much is what is told of, where it is also more than is left on the disk.
const much = 5 << 30

func oldImages(ctx context.Context, p *patient) finding {
	return p.kept(ctx, "docker image prune -a", func(u engine.Usage) (int64, string) {
		return u.Images, fmt.Sprintf("%d images that no container has, %s", u.Unused, bytes(uint64(u.Images)))
	})
}

func buildCache(ctx context.Context, p *patient) finding {
	return p.kept(ctx, "docker builder prune", func(u engine.Usage) (int64, string) {
		return u.Cache, bytes(uint64(u.Cache)) + " of build cache"
	})
}

func (p *patient) kept(ctx context.Context, mend string, of func(engine.Usage) (int64, string)) finding {
	usage, err := p.usage.get(ctx)
	if err != nil {
		return unknown(err)
	}
	size, text := of(usage)
	free := uint64(1 << 62)
	if _, left, _, _, err := roomAt(p.About.Root); err == nil && p.About.Local {
		free = left
	}
	if size >= much && (uint64(size) > free || size >= 10*much && free == 1<<62) {
		return finding{result: checks.Warn, found: text + ", which is more than what is left of the disk", cause: "nothing removes what releases no longer need of other stacks", mend: mend}
	}
	return pass("%s", text)
}

// roomAt is what the disk of a folder has: bytes and inodes, all and free.
var roomAt = diskOf

// unrotated is how much of a log may be there that nothing rotates.
const unrotated = 1 << 30

func logDriver(ctx context.Context, p *patient) finding {
	all, err := p.living(ctx)
	if err != nil {
		return unknown(err)
	}
	if len(all) == 0 {
		return skip("nothing runs that has a log")
	}
	var unread, growing, large []string
	for _, b := range all {
		if b.HostConfig == nil {
			continue
		}
		log := b.HostConfig.LogConfig
		switch {
		case log.Type == "none" || !slices.Contains([]string{"json-file", "local", "journald"}, log.Type):
			unread = append(unread, b.Workload.Name+" ("+log.Type+")")
		case log.Type == "json-file" && log.Config["max-size"] == "":
			growing = append(growing, b.Workload.Name)
			if info, err := os.Stat(b.LogPath); err == nil && p.About.Local && info.Size() > unrotated {
				large = append(large, fmt.Sprintf("%s: %s", b.Workload.Name, bytes(uint64(info.Size()))))
			}
		}
	}
	f := finding{result: checks.Warn, mend: "pulumi config set --path 'tarot:logging.options[\"max-size\"]' 100m -s {stack} && pulumi up -s {stack}"}
	switch {
	case len(large) > 0:
		f.result, f.found, f.cause = checks.Fail, "logs that nothing rotates: "+strings.Join(large, ", "), "tarot:logging.options has no max-size"
	case len(growing) > 0:
		f.found, f.cause = "the log grows for ever: "+strings.Join(growing, ", "), "tarot:logging.options has no max-size"
	case len(unread) > 0:
		f.found, f.cause, f.mend = "`make logs` shows nothing of "+strings.Join(unread, ", "), "the driver sends lines away, and the engine can't read them back", "docs/operating.md#logs"
	default:
		return pass("%d logs rotate", len(all))
	}
	return f
}
