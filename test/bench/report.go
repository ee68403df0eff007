package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// samples are the values of one side, a round each.
type samples []float64

func (s *samples) add(d time.Duration) { *s = append(*s, d.Seconds()) }

func (s samples) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// unit is how values are written.
type unit string

const (
	seconds      unit = "s"
	milliseconds unit = "ms"
	perSecond    unit = "/s"
	megabytes    unit = "MB"
)

func (u unit) format(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.*f", map[unit]int{seconds: 2, milliseconds: 1, perSecond: 1, megabytes: 1}[u], v)
}

// String is the median, and from where to where the rounds were.
func (s samples) String(u unit) string {
	if len(s) == 0 {
		return "–"
	}
	text := u.format(s.median()) + " " + string(u)
	if len(s) > 1 {
		text += fmt.Sprintf(" (%s–%s)", u.format(slices.Min(s)), u.format(slices.Max(s)))
	}
	return text
}

func shown(d time.Duration) string { return seconds.format(d.Seconds()) + " s" }

// goal is what a ratio should be; none where words is empty.
type goal struct {
	words string
	met   func(float64) bool
}

func atMost(limit float64) goal {
	return goal{fmt.Sprintf("at most %g", limit), func(v float64) bool { return v <= limit }}
}

func atLeast(limit float64) goal {
	return goal{fmt.Sprintf("at least %g", limit), func(v float64) bool { return v >= limit }}
}

// figure is a ratio of two sides that were measured in turns.
type figure struct {
	number, name, how string
	ours, peer        samples
	unit              unit
	goal              goal
}

func (f figure) ratio() float64 { return f.ours.median() / f.peer.median() }

func (f figure) verdict() string {
	switch {
	case f.goal.words == "":
		return "–"
	case f.goal.met(f.ratio()):
		return f.goal.words + ": met"
	}
	return f.goal.words + ": **missed**"
}

// report is what a run has found out.
type report struct {
	machine    machine
	figures    []figure
	failures   []string
	warm, cold []step
	took       time.Duration
}

func (r *report) add(f figure) {
	r.figures = append(r.figures, f)
	say("  %s  %s: %.3g (%s / %s), %s", f.number, f.name, f.ratio(), f.ours.String(f.unit), f.peer.String(f.unit), f.verdict())
}

func (r *report) notMeasured(name string, err error) {
	first, _, _ := strings.Cut(err.Error(), "\n")
	r.failures = append(r.failures, fmt.Sprintf("%s: %s", name, first))
}

// The cold table is kept from the last run that made one.
const coldBegin, coldEnd = "<!-- cold: begin -->", "<!-- cold: end -->"

// write prints the report and puts it into docs/benchmarks.md, or, where it is
// only a part or a try, into build/.
func (r *report) write(root string, partial, quick bool) error {
	committed := filepath.Join(root, "docs", "benchmarks.md")
	before, _ := os.ReadFile(committed)
	file := committed
	if partial {
		file = filepath.Join(root, "build", "benchmarks.md")
	}
	slices.SortStableFunc(r.figures, func(a, b figure) int { return strings.Compare(a.number, b.number) })
	text := r.text(string(before))
	fmt.Print(text)
	if err := errors.Join(mkdir(filepath.Dir(file)), os.WriteFile(file, []byte(text), 0o644)); err != nil { //nolint:gosec // documentation
		return err
	}
	say("==> written to %s", strings.TrimPrefix(file, root+"/"))
	if file == committed || quick || len(r.cold) == 0 || len(before) == 0 {
		return nil
	}
	// Half an hour of measuring is kept, also where the rest was not measured.
	head, _, _ := strings.Cut(string(before), coldBegin)
	_, foot, _ := strings.Cut(string(before), coldEnd)
	_, cold, _ := strings.Cut(text, coldBegin)
	cold, _, _ = strings.Cut(cold, coldEnd)
	return os.WriteFile(committed, []byte(head+coldBegin+cold+coldEnd+foot), 0o644) //nolint:gosec // documentation
}

func (r *report) text(before string) string {
	var t strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&t, format+"\n", args...) }
	line("<!-- Written by `make bench`. Do not edit. -->\n")
	line("# Benchmarks\n")
	line("Ratios from one run, each side by side with a peer, in turns; medians, with the")
	line("lowest and the highest round in brackets. Times alone say more about the machine.")
	line("Releases under load, beside kamal-proxy, Docker Compose and `docker service update`:")
	line("[rollouts.md](rollouts.md). What the monitoring costs: [monitoring.md](monitoring.md#cost).\n")
	line("| | |\n|---|---|")
	for _, row := range r.machine.rows() {
		line("| %s | %s |", row[0], row[1])
	}
	line("| run | `make bench`, %s, took %s |\n", time.Now().UTC().Format(time.DateOnly), r.took.Round(time.Second))
	line("## Figures\n")
	if len(r.figures) > 0 {
		line("| # | figure | ratio | goal | ours | peer |\n|---|---|---|---|---|---|")
	}
	for _, f := range r.figures {
		line("| %s | %s | **%.3g** | %s | %s | %s |", f.number, f.name, f.ratio(), f.verdict(), f.ours.String(f.unit), f.peer.String(f.unit))
	}
	for _, failure := range r.failures {
		line("\nNot measured: %s", failure)
	}
	if len(r.figures) > 0 {
		line("\n## How\n")
	}
	for _, f := range r.figures {
		line("- **%s, %s.** %s", f.number, f.name, f.how)
	}
	if len(r.warm) > 0 {
		line("\n## 5: from clone to the first answer, warm\n")
		line("With everything in its cache. The steps of `make dev`, on a stack of its own.\n")
		table(line, r.warm)
	}
	line("\n## 5: from clone to the first answer, cold\n")
	line("An empty home: no Go, no Pulumi, no caches. Made by `BENCH_COLD=1 make bench` only.\n")
	line("%s", coldBegin)
	switch {
	case len(r.cold) > 0:
		line("Run on %s, %d cores, commit %s. The longest step: %s.\n", time.Now().UTC().Format(time.DateOnly), r.machine.cores, r.machine.commit, longest(r.cold).name)
		table(line, r.cold)
	default:
		line("%s", keptCold(before))
	}
	line("%s", coldEnd)
	return t.String()
}

func table(line func(string, ...any), steps []step) {
	line("| step | time | |\n|---|---|---|")
	var sum time.Duration
	for _, s := range steps {
		line("| %s | %s | %s |", s.name, shown(s.took), s.note)
		sum += s.took
	}
	line("| **together** | **%s** | |", shown(sum))
}

func longest(steps []step) step {
	return slices.MaxFunc(steps, func(a, b step) int { return int(a.took - b.took) })
}

// keptCold is the cold table of an earlier run.
func keptCold(before string) string {
	_, rest, found := strings.Cut(before, coldBegin)
	if table, _, ended := strings.Cut(rest, coldEnd); found && ended {
		return strings.TrimSpace(table)
	}
	return "Not measured yet."
}
