package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tarot-platform/internal/backup/place"
	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/backup/target"
)

// stale is the age of a mark after which the replication counts as failing.
const stale = 30 * time.Second

// replicator is what the guard knows of the replication, for whoever asks.
type replicator struct {
	guardOptions
	log     *slog.Logger
	now     func() time.Time
	litest  control
	version string
	lock    atomic.Pointer[os.File]
	// adopted is told of somebody's wish to begin a history beside another database's.
	adopted chan struct{}
	// lost is told why the history on the target can't be gone on with.
	lost chan string
	// content counts what the database holds.
	content func(context.Context) (results.Content, error)
	// empty empties the database's log.
	empty func(context.Context) error

	mu      sync.Mutex
	state   string
	why     string
	place   place.Place
	mark    results.Mark
	since   time.Time // when the litestream that runs was started
	out     *listening
	old     []results.History
	tidied  time.Time
	thinned time.Time
	heard   time.Time // when litestream has said something last
	seen    time.Time // when the target was found to have all that the newest mark says
	looked  time.Time // when it was last asked what can be restored
	wish    bool
	asked   *syncQuestion // that is not answered yet
}

// syncQuestion is one of litestream: whether what was committed at a time is on the target.
type syncQuestion struct {
	at     time.Time
	done   chan struct{} // closed once there is an answer
	answer synced
	err    error
}

func newReplicator(o guardOptions, log *slog.Logger) *replicator {
	r := &replicator{guardOptions: o, log: log, now: time.Now, state: results.Waiting, adopted: make(chan struct{}, 1), lost: make(chan string, 1)}
	r.litest = newControl(o.control(), o.Database)
	r.content, r.empty = r.countInChild, r.emptyInChild
	return r
}

func identity() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// settings are litestream's for a history.
func (r *replicator) settings(n int) litestreamSettings {
	return litestreamSettings{Database: r.Database, Meta: metaPath(r.folder(), n), Replica: r.Target.Litestream(n), Retention: r.Retention, L0: r.L0}
}

func (r *replicator) prober() prober {
	return prober{r.Litestream, r.Work, r.settings(1), r.Target, r.Gap}
}

// be sets the state.
func (r *replicator) be(state, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.why = state, why
}

// begin sets the history that is written, with the newest mark that is known of it.
func (r *replicator) begin(p place.Place) {
	marks, err := results.Marks(r.State)
	if err != nil {
		r.log.Warn("the earlier marks can't be read", "error", err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.place = p
	if len(marks) > 0 && marks[len(marks)-1].Place == p.Path {
		r.mark = marks[len(marks)-1]
	}
}

// started is called for each litestream that is started.
func (r *replicator) started(out *listening) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since, r.heard, r.out = r.now(), r.now(), out
	r.looked = time.Time{}
	select { // of the history before
	case <-r.lost:
	default:
	}
}

// look asks how far the target is, and sees to what is due now and then.
func (r *replicator) look(ctx context.Context) {
	if m, err := r.ask(ctx, r.Every-time.Second, time.Time{}); err != nil {
		r.behind(err)
	} else if full, err := r.diskFull(ctx); err == nil && full {
		r.be(results.Failing, "the disk of the database is full: litestream waits for room")
	} else {
		r.reached(m)
	}
	r.tidy(ctx)
}

// ask waits until what was committed at a time, or the last time that somebody has asked for, is on the target. It gives up
// after its patience, and the question goes on: with the one who asks, litestream gives up the copy that it makes,
// so that one which takes longer than anybody's patience would never be whole.
func (r *replicator) ask(ctx context.Context, patience time.Duration, since time.Time) (results.Mark, error) {
	ctx, cancel := context.WithTimeout(ctx, max(patience, time.Second))
	defer cancel()
	for {
		q := r.question()
		select {
		case <-ctx.Done():
			return results.Mark{}, fmt.Errorf("litestream has been at work for %s, and what is committed is not on the target yet", r.now().Sub(q.at).Round(time.Second))
		case <-q.done:
		}
		if q.err != nil {
			return results.Mark{}, q.err
		}
		if !q.at.Before(since) {
			return results.Mark{TXID: q.answer.Replicated, At: q.at, Place: r.placed().Path}, nil
		}
	}
}

// question is the one that is being asked, or a new one.
func (r *replicator) question() *syncQuestion {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked != nil {
		return r.asked
	}
	q := &syncQuestion{at: r.now(), done: make(chan struct{})}
	r.asked = q
	go func() {
		// It ends with the litestream that was asked, at the latest.
		q.answer, q.err = r.litest.sync(context.Background())
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked = nil
		if !errors.Is(q.err, errSilent) {
			r.heard = r.now()
		}
		close(q.done)
	}()
	return q
}

// slowest is how fast a whole copy of the database goes at least, in bytes a second: 1 Mbit/s.
const slowest = 128 << 10

// silent is true for a litestream that has said nothing for long: it may wait for a server
// that takes connections, and does nothing with them.
func (r *replicator) silent() bool {
	patience := 10 * time.Minute
	if info, err := os.Stat(r.Database); err == nil {
		patience += time.Duration(info.Size()/slowest) * time.Second
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now().Sub(r.heard) > patience
}

func (r *replicator) placed() place.Place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.place
}

// behind tells what is wrong where the newest mark is no longer new.
func (r *replicator) behind(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Sub(r.mark.At) < stale && r.state == results.Replicating {
		return
	}
	why := err.Error()
	if r.out != nil && r.out.lastError() != "" {
		why += " (" + r.out.lastError() + ")"
	}
	state := results.Failing
	if r.now().Sub(r.since) < stale {
		state = results.Waiting
	}
	if state != r.state {
		r.log.Warn("what is committed is not known to be on the target", "why", why)
	}
	r.state, r.why = state, why
}

// reached is called with a new mark.
func (r *replicator) reached(m results.Mark) {
	r.mu.Lock()
	if m.At.After(r.mark.At) {
		r.mark = m
	}
	if r.state != results.Replicating {
		r.log.Info("replicating", "to", r.place.Path, "txid", m.TXID)
	}
	r.state, r.why = results.Replicating, ""
	p := r.place
	r.mu.Unlock()
	if err := results.AddMark(r.State, m); err != nil {
		r.log.Warn("a mark can't be written down", "error", err.Error())
	}
	if p.Written {
		return
	}
	p.Written = true
	if err := place.Write(r.placeFolder(), p); err != nil {
		r.log.Warn("it can't be written down that the history has begun", "error", err.Error())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.place = p
}

// examineEach is the time between two looks at what could be restored.
const examineEach = 10 * time.Minute

// examine asks whether what is on the target could be restored, up to the newest mark: what
// somebody has removed there, litestream neither notices nor mends.
func (r *replicator) examine(ctx context.Context) {
	m := r.status().Mark
	n := place.Number(r.placed().Path)
	ask := func() (string, error) {
		txid, err := restorable(ctx, r.Litestream, r.Work, r.settings(n))
		switch {
		case errors.Is(err, errLost):
			return "the target has lost what " + place.Path(n) + " is restored from", nil
		case err == nil && txid < m.TXID:
			return fmt.Sprintf("what is on the target ends at transaction %d, and %d was written there", txid, m.TXID), nil
		}
		return "", err
	}
	why, err := ask()
	if err == nil && why != "" && r.pause(ctx, r.Every) == nil {
		why, err = ask() // a listing may be late
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.log.Warn("it is not known what could be restored", "error", err.Error())
		return
	}
	if why == "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen = r.now()
		return
	}
	if n == place.Number(r.placed().Path) {
		select {
		case r.lost <- why:
		default:
		}
	}
}

// tidy is what is due now and then: what could be restored is looked at, marks are thinned each hour, earlier histories looked at
// each day.
func (r *replicator) tidy(ctx context.Context) {
	now := r.now()
	if r.placed().Written && now.Sub(r.looked) > examineEach {
		r.looked = now
		go r.examine(ctx)
	}
	if now.Sub(r.thinned) > time.Hour {
		r.thinned = now
		if err := results.ThinMarks(r.State, now, r.Retention); err != nil {
			r.log.Warn("the marks can't be thinned", "error", err.Error())
		}
	}
	if now.Sub(r.tidied) < 24*time.Hour {
		return
	}
	r.tidied = now
	go func() { // a target may be slow
		found, err := r.prober().histories(ctx, 1)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.log.Warn("the target's earlier histories are not known", "error", err.Error())
			return
		}
		left, err := forget(r.folder(), r.Target, found, place.Number(r.placed().Path), r.Retention, now)
		if err != nil {
			r.log.Warn("what is no longer needed can't be removed", "error", err.Error())
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.old = left
	}()
}

// adopt has the next look at a target of another database begin a history there.
func (r *replicator) adopt() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != results.Foreign {
		return fmt.Errorf("there is nothing to adopt: the replication is %s", r.state)
	}
	r.wish = true
	select {
	case r.adopted <- struct{}{}:
	default:
	}
	return nil
}

func (r *replicator) mayAdopt() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wish
}

// status is what `make status` shows.
func (r *replicator) status() results.Status {
	found, err := results.All(r.results())
	if r.Archive != "" {
		one, wrong := results.One(r.Archive, results.Archive)
		found, err = append(found, one), errors.Join(err, wrong)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.log.Warn("a result can't be read", "error", err.Error())
	}
	s := results.Status{State: r.state, Why: r.why, Place: r.place.Path, Target: r.Target.String(), Database: r.Database, Mark: r.mark,
		Seen: r.seen, KeyKept: r.KeyKept, Old: r.old, Refused: readRefusals(r.folder()).Count, Litestream: r.version, Results: found}
	if s.State == results.Replicating && r.now().Sub(r.mark.At) > stale { // the clock was set, or this one hangs
		s.State, s.Why = results.Failing, "there is no new mark"
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(r.Database + suffix); err == nil {
			s.DatabaseBytes += info.Size()
		}
	}
	if r.Target.Remote() {
		return s
	}
	served := r.folder()
	if r.Database == "" {
		served = r.State
	}
	s.SameDisk = r.Target.Kind == target.Volume || sameDisk(target.Mount, served)
	var disk syscall.Statfs_t
	if syscall.Statfs(target.Mount, &disk) == nil {
		s.Free, s.Size = int64(disk.Bavail)*disk.Bsize, int64(disk.Blocks)*disk.Bsize
	}
	return s
}

// sameDisk is true for two folders of one file system.
func sameDisk(a, b string) bool {
	var one, other syscall.Stat_t
	return syscall.Stat(a, &one) == nil && syscall.Stat(b, &other) == nil && one.Dev == other.Dev
}
