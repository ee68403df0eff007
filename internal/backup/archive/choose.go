package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Segment is a piece of the log that is in the archive.
type Segment struct {
	// Cluster is as in Backup, Name the piece's, such as 000000010000000000000004, and At when it came.
	Cluster, Name string
	At            time.Time
}

func (s Segment) timeline() uint32 { n, _ := timeline(s.Name); return n }

var segment = regexp.MustCompile(`^([0-9]+-[0-9]+)/[0-9A-F]{16}/([0-9A-F]{24})-[0-9a-f]{40}`)

// Segments are all that there are of a version, in the order in which they came.
func (a Archive) Segments(ctx context.Context) ([]Segment, error) {
	text, err := a.Do(ctx, "--recurse", "--output=json", "repo-ls", "archive/"+Stanza)
	if err != nil {
		return nil, err
	}
	var files map[string]struct{ Time int64 }
	if err := json.Unmarshal([]byte(text), &files); err != nil {
		return nil, fmt.Errorf("pgbackrest repo-ls: %w", err)
	}
	var all []Segment
	for file, about := range files {
		found := segment.FindStringSubmatch(file)
		if found == nil || !strings.HasPrefix(found[1], strconv.Itoa(a.Version)+"-") {
			continue
		}
		all = append(all, Segment{Cluster: found[1], Name: found[2], At: time.Unix(about.Time, 0).UTC()})
	}
	slices.SortFunc(all, func(x, y Segment) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Name, y.Name)) })
	return all, nil
}

// Choice is how the database is brought to a moment.
type Choice struct {
	Backup
	// Along is the timeline to follow from there on.
	Along uint32
	// At is the moment; zero: to the end.
	At time.Time
}

// From is what it is of, for people.
func (c Choice) From() string { return "the archive (" + c.Label + ")" }

// Choose finds a backup and the timeline that lead to a moment; the zero one: to the end.
//
// After a restore the database goes on along another timeline, and one that is taken back goes on along the
// one before. Which was lived in at a moment is told by what came to the archive next.
func (a Archive) Choose(ctx context.Context, at time.Time) (Choice, error) {
	backups, _, err := a.Backups(ctx)
	if err != nil {
		return Choice{}, err
	}
	segments, err := a.Segments(ctx)
	if err != nil {
		return Choice{}, err
	}
	return a.choose(backups, segments, at, func(cluster string, timeline uint32) (string, error) {
		return a.Do(ctx, "repo-get", path.Join("archive", Stanza, cluster, fmt.Sprintf("%08X.history", timeline)))
	})
}

func (a Archive) choose(backups []Backup, segments []Segment, at time.Time, history func(cluster string, timeline uint32) (string, error)) (Choice, error) {
	if len(segments) == 0 || len(backups) == 0 {
		return Choice{}, fmt.Errorf("there is no backup of PostgreSQL %d in the archive yet: `make run SCHEDULE=postgres-archive` makes one", a.Version)
	}
	next := segments[len(segments)-1]
	if !at.IsZero() {
		if i := slices.IndexFunc(segments, func(s Segment) bool { return !s.At.Before(at.Truncate(time.Second)) }); i >= 0 {
			next = segments[i]
		}
	}
	before := []step{{next.timeline(), ^uint64(0)}}
	if next.timeline() > 1 {
		text, err := history(next.Cluster, next.timeline())
		if err != nil {
			return Choice{}, fmt.Errorf("the history of the timeline %d: %w", next.timeline(), err)
		}
		earlier, err := steps(text)
		if err != nil {
			return Choice{}, err
		}
		before = append(before, earlier...)
	}
	var first, elsewhere Backup
	for _, b := range slices.Backward(backups) {
		switch {
		case b.Cluster != next.Cluster:
			elsewhere = b
		case !slices.ContainsFunc(before, func(s step) bool { return s.timeline == b.Timeline && b.Stop <= s.until }):
		case at.IsZero() || !b.To.After(at):
			return Choice{Backup: b, Along: next.timeline(), At: at}, nil
		default:
			first = b
		}
	}
	switch {
	case elsewhere.Label != "" && !at.IsZero() && !elsewhere.To.After(at):
		version, _, _ := strings.Cut(elsewhere.Cluster, "-")
		return Choice{}, fmt.Errorf("what was stored at %s is of PostgreSQL %s, or of another database that was here before, and this server is of %d: it reads none of it", at.UTC().Format(time.RFC3339), version, a.Version)
	case first.Label != "":
		return Choice{}, fmt.Errorf("the archive reaches back to %s, and not to %s", first.To.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return Choice{}, fmt.Errorf("no backup in the archive leads to what was written last: the next one is a full one (`make run SCHEDULE=postgres-archive`)")
}

// step is a timeline that leads to another one, and up to which place in the log.
type step struct {
	timeline uint32
	until    uint64
}

// steps reads a history: a line for each timeline that leads there.
func steps(text string) ([]step, error) {
	var all []step
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		n, err := strconv.ParseUint(words[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("the history of a timeline has the line %q", line)
		}
		until, err := ParseLSN(words[1])
		if err != nil {
			return nil, err
		}
		all = append(all, step{uint32(n), until})
	}
	return all, nil
}

// segmentBytes is how large a piece of the log is.
const segmentBytes = 16 << 20

// Gap is the first piece of the log that is missing since a backup; empty: none is. What is restored goes up to
// there, and no further.
func Gap(since Backup, segments []Segment) string {
	perID := uint64(1<<32) / segmentBytes
	var last uint64
	var along string
	for _, s := range slices.SortedFunc(slices.Values(segments), func(x, y Segment) int { return cmp.Compare(x.Name, y.Name) }) {
		if s.Cluster != since.Cluster || s.timeline() != since.Timeline {
			continue
		}
		high, _ := strconv.ParseUint(s.Name[8:16], 16, 64)
		low, _ := strconv.ParseUint(s.Name[16:], 16, 64)
		n := high*perID + low
		if n < since.Stop/segmentBytes {
			continue
		}
		if along != "" && n > last+1 {
			return fmt.Sprintf("%08X%08X%08X", since.Timeline, (last+1)/perID, (last+1)%perID)
		}
		last, along = n, s.Name
	}
	return ""
}
