package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/github"
)

// Types of what runs, and of what is stored.
const (
	containerType = "docker:index/container:Container"
	serviceType   = "docker:index/service:Service"
	volumeType    = "docker:index/volume:Volume"
)

// migration is the job that changes the application's own data.
const migration = "migrate"

// comparison is what a change of the project does to a stack that runs.
type comparison struct {
	running Running
	rows    []row
	data    []string // why what is stored is touched; empty: it is not
	changes []change
}

// row is what becomes of a workload.
type row struct{ workload, fate, why string }

func compare(running Running, from, to plan) comparison {
	c := comparison{running: running, changes: changes(from, to)}
	c.rows = rows(from, to, c.changes)
	for _, change := range c.changes {
		switch {
		case label(change.Inputs["labels"], engine.ReleaseLabel) != "": // the record of a release
		case change.Type == volumeType && change.gone:
			c.data = append(c.data, fmt.Sprintf("the volume %s is no part of the stack any more", change.name()))
		case change.Type == volumeType && change.before != nil:
			c.data = append(c.data, fmt.Sprintf("the volume %s is made anew (%s)", change.name(), change.paths()))
		case workloadOf(change.resource) == migration && !change.gone:
			c.data = append(c.data, fmt.Sprintf("%s runs on them (%s)", migration, change.paths()))
		}
	}
	return c
}

// rows has each workload that is there before or after, and what becomes of it.
func rows(from, to plan, all []change) []row {
	workloads := map[string]bool{} // true: it runs for ever
	for _, p := range []plan{from, to} {
		for _, r := range p.resources {
			// A job that does not run is nothing that a deploy does, nor is a canary that is not there.
			if name := workloadOf(r); name != "" && fmt.Sprint(replicas(r.Inputs)) != "0" {
				workloads[name] = workloads[name] || !isJob(r)
			}
		}
	}
	var found []row
	for _, name := range slices.Sorted(maps.Keys(workloads)) {
		var its []change
		for _, c := range all {
			if workloadOf(c.resource) == name {
				its = append(its, c)
			}
		}
		if r := fate(name, its); workloads[name] || len(its) > 0 {
			found = append(found, r)
		}
	}
	return found
}

// fate is what the changes of a workload's containers or of its service come to.
func fate(name string, its []change) row {
	r := row{workload: name, fate: "is not restarted"}
	var made, gone, restarted, job, inTurn bool
	var scaled string
	for _, c := range its {
		if r.why == "" && len(c.fields) > 0 {
			r.why = c.paths()
		}
		job = job || isJob(c.resource)
		if before := c.before; before != nil && !c.gone && c.Type == serviceType && fmt.Sprint(replicas(before.Inputs)) != fmt.Sprint(replicas(c.Inputs)) {
			scaled = fmt.Sprintf("; %v replicas become %v", replicas(before.Inputs), replicas(c.Inputs))
		}
		switch {
		case c.gone:
			gone = true
		case c.before == nil:
			made = true
		case c.Type == serviceType && staysUp(c):
		default:
			restarted, inTurn = true, newOnesFirst(c.resource)
		}
	}
	switch {
	case job && (made || restarted):
		r.fate = "runs once"
	case restarted && inTurn:
		r.fate = "restarts, new ones first"
	case restarted:
		r.fate = "restarts, stopped first"
	case made && gone:
		r.fate = "restarts"
	case made:
		r.fate = "starts"
	case gone:
		r.fate = "goes"
	}
	r.fate += scaled
	return r
}

// newOnesFirst is true where the old ones stay until the new ones are there: a service that says so,
// and a container with a name that Pulumi gives it, as two may be there, where nothing else is said.
func newOnesFirst(r resource) bool {
	if r.Type == serviceType {
		strategy, _ := r.Inputs["updateConfig"].(map[string]any)
		return strategy["order"] == "start-first"
	}
	return !r.StopFirst && named(r.Inputs)
}

// staysUp is true for a service of which nothing changes that its tasks are made of, as Swarm then
// leaves them alone.
func staysUp(c change) bool {
	return !slices.ContainsFunc(c.fields, func(f field) bool { return strings.HasPrefix(f.path, "taskSpec") || f.path == "name" })
}

func replicas(inputs map[string]any) any {
	mode, _ := inputs["mode"].(map[string]any)
	replicated, _ := mode["replicated"].(map[string]any)
	return replicated["replicas"]
}

// workloadOf is the workload that a container or a service is of; empty: it is neither.
func workloadOf(r resource) string {
	switch r.Type {
	case containerType:
		return label(r.Inputs["labels"], engine.WorkloadLabel)
	case serviceType:
		task, _ := r.Inputs["taskSpec"].(map[string]any)
		container, _ := task["containerSpec"].(map[string]any)
		return label(container["labels"], engine.WorkloadLabel)
	}
	return ""
}

func isJob(r resource) bool {
	return r.Type == containerType && label(r.Inputs["labels"], engine.AttemptLabel) != ""
}

func label(labels any, name string) string {
	list, _ := labels.([]any)
	for _, entry := range list {
		if l, _ := entry.(map[string]any); l["label"] == name {
			value, _ := l["value"].(string)
			return value
		}
	}
	return ""
}

// few are the paths that a line has room for.
const few = 3

func (c change) paths() string {
	var paths []string
	for _, f := range c.fields {
		paths = append(paths, f.path)
	}
	if more := len(paths) - few; more > 0 {
		paths = append(paths[:few], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(paths, ", ")
}

// headline is what it comes to.
func (c comparison) headline() string {
	var restarts []string
	for _, r := range c.rows {
		if strings.HasPrefix(r.fate, "restarts") {
			restarts = append(restarts, r.workload)
		}
	}
	text := fmt.Sprintf("%d of its resources change", len(c.changes))
	if len(restarts) > 0 {
		text += ", " + strings.Join(restarts, ", ") + " restarts"
		if len(restarts) > 1 {
			text = strings.TrimSuffix(text, "s")
		}
	}
	return text + ", data touched: " + c.touched()
}

func (c comparison) touched() string {
	if len(c.data) > 0 {
		return "yes"
	}
	return "no"
}

// markdown is the section's text, in so many bytes.
func (c comparison) markdown(stack string, room int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Against what runs: %s, deployed %s.\n", short(c.running.Commit), c.running.Deployed.Format("2006-01-02 15:04 UTC"))
	if c.running.Pinned != "" {
		fmt.Fprintf(&b, "**%s has been returned to the release %s**: this is held against the commit that it was returned from.\n", stack, c.running.Pinned)
	}
	fmt.Fprintf(&b, "\n**Data touched: %s**\n", c.touched())
	for _, why := range c.data {
		fmt.Fprintf(&b, "- %s\n", cell(why))
	}
	b.WriteString("\n| workload | what the deploy does | because of |\n|---|---|---|\n")
	for _, r := range c.rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(r.workload), cell(r.fate), cell(r.why))
	}
	if len(c.changes) > 0 {
		var list strings.Builder
		for _, change := range c.changes {
			list.WriteString(change.lines())
		}
		fmt.Fprintf(&b, "\n<details><summary>all that changes</summary>\n\n%s\n</details>\n", github.Fenced(list.String(), max(room-b.Len(), 0)))
	}
	return b.String()
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

// cell is a text that ends neither the table nor its own line, and calls for nobody.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", "@", "@\u200b", "`", "'").Replace(text)
}

// lines say what becomes of a resource, and each value that differs.
func (c change) lines() string {
	sign := "~"
	switch {
	case c.gone:
		sign = "-"
	case c.before == nil:
		sign = "+"
	}
	text := fmt.Sprintf("%s %s %s\n", sign, c.kind(), c.name())
	if c.gone || c.before == nil {
		return text
	}
	for _, f := range c.fields {
		before, isText := f.before.(string)
		after, isToo := f.after.(string)
		if isText && isToo && strings.Contains(before+after, "\n") {
			text += "    " + f.path + ":\n" + lineByLine(before, after)
			continue
		}
		text += fmt.Sprintf("    %s: %s => %s\n", f.path, brief(f.before), brief(f.after))
	}
	return text
}

// lineByLine has the lines of a text that the other one has not.
func lineByLine(before, after string) string {
	var text strings.Builder
	only := func(sign, of, other string) {
		there := map[string]bool{}
		for line := range strings.SplitSeq(other, "\n") {
			there[line] = true
		}
		for line := range strings.SplitSeq(of, "\n") {
			if !there[line] {
				fmt.Fprintf(&text, "      %s %s\n", sign, cut(line))
			}
		}
	}
	only("-", before, after)
	only("+", after, before)
	return text.String()
}

// brief is a value in a line.
func brief(value any) string {
	if value == nil {
		return "(nothing)"
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	text := strings.ReplaceAll(string(data), unknown, "(known afterwards)")
	return cut(text)
}

func cut(text string) string {
	const most = 200
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
