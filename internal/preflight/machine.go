package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/engine"
)

// The oldest engine that everything works with, and the major version of the newest one that tests run
// on (docs/operating.md#which-engines).
var (
	leastEngine  = []int{20, 10}
	newestEngine = 28
)

// Version is whether the engine is one that this is known to work with.
func Version(version string) checks.Check {
	c := checks.Check{ID: "engine-version", Checked: "the engine is of a version that is known to work", Result: checks.Pass, Found: version}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	var numbers []int
	for _, text := range []string{major, minor} {
		n, err := strconv.Atoi(text)
		if err != nil { // a build of somebody's own
			c.Result, c.Found = checks.Unknown, fmt.Sprintf("it calls itself %q", version)
			c.Mend = "docs/operating.md: which engines"
			return c
		}
		numbers = append(numbers, n)
	}
	switch {
	case slices.Compare(numbers, leastEngine) < 0:
		c.Result, c.Found = checks.Fail, fmt.Sprintf("Docker %s is older than 20.10, and lacks what a deploy needs", version)
		c.Mend = "an engine of 20.10 or newer (docs/operating.md: which engines)"
	case numbers[0] > newestEngine+1:
		c.Result, c.Found = checks.Warn, fmt.Sprintf("Docker %s is newer than what this was tried with (20.10 to %d)", version, newestEngine+1)
		c.Mend = "try it with a stack that nobody needs (docs/operating.md: which engines)"
	}
	return c
}

// How far two clocks may be apart: what users' sessions, certificates and the age of backups bear, and what is
// worth a word.
const (
	farApart = time.Minute
	apart    = 5 * time.Second
)

// Clock is whether the engine's clock and this machine's agree, and what was written down is not of the
// future. newest is the latest that somebody has written on the engine; the zero time: nobody has.
func Clock(ahead time.Duration, known bool, newest, now time.Time) checks.Check {
	c := checks.Check{ID: "clock", Checked: "the clocks here and of the engine's machine agree", Result: checks.Pass, Found: "they differ by less than " + apart.String()}
	const mend = "set both by NTP (timedatectl set-ntp true)"
	away := ahead.Abs().Round(time.Second)
	than := "ahead of"
	if ahead < 0 {
		than = "behind"
	}
	switch {
	case !known:
		c.Result, c.Found = checks.Unknown, "the engine does not say what time it is"
	case away >= farApart:
		c.Result, c.Mend = checks.Fail, mend
		c.Found = fmt.Sprintf("the engine's clock is %s %s this machine's: certificates, sessions and the age of backups go by it", away, than)
	case away >= apart:
		c.Result, c.Mend = checks.Warn, mend
		c.Found = fmt.Sprintf("the engine's clock is %s %s this machine's", away, than)
	}
	if future := newest.Sub(now.Add(ahead)); c.Result != checks.Fail && !newest.IsZero() && future >= farApart {
		c.Result, c.Mend = checks.Fail, mend
		c.Found = fmt.Sprintf("the newest release was recorded at %s, which is in %s: a clock goes wrong", newest.UTC().Format(time.RFC3339), future.Round(time.Second))
	}
	return c
}

// Memory is whether what runs, and what starts beside it, has room.
func Memory(m engine.Machine, needs engine.Needs) checks.Check {
	c := checks.Check{ID: "memory", Checked: "there is memory for what runs, and for the new beside the old", Result: checks.Pass}
	size := func(n int64) string { return units.BytesSize(float64(n)) }
	var sum, beside, new int64
	var large []string
	for _, l := range needs.Limits {
		sum += int64(l.Replicas) * l.Memory
		beside += int64(l.Beside) * l.Memory
		new += int64(l.Beside) * min(m.Uses[l.Workload], l.Memory)
		if m.Memory > 0 && l.Memory > m.Memory {
			large = append(large, fmt.Sprintf("the limit of %s is %s", l.Workload, size(l.Memory)))
		}
	}
	c.Found = fmt.Sprintf("limits of %s in all, and %s more while a release goes out; the machine has %s", size(sum), size(beside), size(m.Memory))
	if m.Available > 0 {
		c.Found += ", of which " + size(m.Available) + " is free"
	}
	switch {
	case m.Memory <= 0:
		c.Result, c.Found = checks.Unknown, "the engine does not say how much there is"
	case len(large) > 0:
		c.Result, c.Mend = checks.Fail, "a smaller `memory` in the stack's file, or a larger machine"
		c.Found = fmt.Sprintf("%s, and the engine's machine has %s: that is no limit, and one that leaks takes the machine with it", strings.Join(large, ", "), size(m.Memory))
	case m.Available > 0 && new > m.Available:
		c.Result, c.Mend = checks.Fail, "stop what is not needed there, or fewer replicas"
		c.Found = fmt.Sprintf("new replicas start beside the old, which use %s at the moment, and %s is free: something would be killed for want of memory", size(new), size(m.Available))
	case sum+beside > m.Memory:
		c.Result = checks.Warn
		c.Found = fmt.Sprintf("the memory limits of all that runs come to %s, and to %s more while a release goes out, and the engine's machine has %s: under load, something may be killed for want of memory",
			size(sum), size(beside), size(m.Memory))
	}
	return c
}

const (
	// least is what has to be free, beside an image like the one that runs: layers that are unpacked, logs, a database's journal.
	leastFree = 512 << 20
	// leastFiles is what a large image has.
	leastFiles = 20_000
	// littleShare is when DiskAlmostFull alerts, in hundredths.
	littleShare = 10
)

// Disk is whether a release more has room on the engine's disk. image is the size of what runs now.
func Disk(d engine.Disk, err error, image int64) checks.Check {
	c := checks.Check{ID: "disk", Checked: "the engine's disk has room for the old images and the new ones", Result: checks.Pass, Mend: "docker image prune, docker builder prune, or a larger disk"}
	need := int64(leastFree) + image
	c.Found = fmt.Sprintf("%s of %s free at %s, and a release takes at most about %s", units.BytesSize(float64(d.Free)), units.BytesSize(float64(d.Size)), d.Folder, units.BytesSize(float64(need)))
	switch {
	case err != nil:
		c.Result, c.Found, c.Mend = checks.Unknown, err.Error(), "df on the engine's machine"
	case d.Free < need:
		c.Result = checks.Fail
		c.Found = fmt.Sprintf("%s is free at %s of the engine's machine, and a release may take %s: it would end half-way, and a database that can't write with it", units.BytesSize(float64(d.Free)), d.Folder, units.BytesSize(float64(need)))
	case d.CountsFiles && d.Files < leastFiles:
		c.Result = checks.Fail
		c.Found = fmt.Sprintf("room for %d files (inodes) is left at %s of the engine's machine, and an image may have %d", d.Files, d.Folder, leastFiles)
	case d.Free*100 < d.Size*littleShare:
		c.Result = checks.Warn
		c.Found = fmt.Sprintf("less than %d %% of the engine's disk is free: %s of %s at %s", littleShare, units.BytesSize(float64(d.Free)), units.BytesSize(float64(d.Size)), d.Folder)
	default:
		c.Mend = ""
	}
	return c
}
