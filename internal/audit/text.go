package audit

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mitchellh/go-wordwrap"
)

const width = 100

// Write prints the report for people: a line a rule, and below it what does not pass.
func (r Report) Write(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s, by the CIS Docker Benchmark 1.6.0\n\n", r.Stack)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "#\tRULE\tPASS\tEXCEPTION\tFAIL")
	all := append(slices.Clone(rules), hostRule, restRule, coreRule)
	for _, rule := range all {
		if slices.Contains([]string{hostRule.number, restRule.number, coreRule.number}, rule.number) && len(r.of(rule)) == 0 {
			continue // no port is published here, there is no volume, or nothing runs
		}
		counts := map[Result]int{}
		for _, f := range r.of(rule) {
			counts[f.Result]++
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\n", rule.number, rule.title, counts[Pass], counts[Exception], counts[Fail])
	}
	_ = table.Flush()
	text.WriteString("\n")
	for _, rule := range all {
		for _, e := range reasons(r.of(rule)) {
			text.WriteString(wrapped("· "+rule.number+" ", e))
		}
	}
	for _, f := range r.Findings {
		switch f.Result {
		case Fail:
			text.WriteString(wrapped("! "+f.Number+" ", fmt.Sprintf("%s: %s: %s", f.Container, f.Rule, f.Found)))
		case Unknown:
			text.WriteString(wrapped("? ", unknown(f)))
		}
	}
	switch {
	case len(r.Findings) == 0:
		text.WriteString("? no container of this stack is on this engine\n")
	case !r.Failed() && !r.Untold():
		text.WriteString("nothing fails\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (r Report) of(rule rule) (found []Finding) {
	for _, f := range r.Findings {
		if f.Number == rule.number {
			found = append(found, f)
		}
	}
	return found
}

// reasons are a rule's exceptions, with the containers that have each.
func reasons(findings []Finding) (lines []string) {
	var order []string
	whose := map[string][]string{}
	for _, f := range findings {
		if f.Result == Exception {
			if whose[f.Why] == nil {
				order = append(order, f.Why)
			}
			whose[f.Why] = append(whose[f.Why], f.Container)
		}
	}
	for _, why := range order {
		lines = append(lines, strings.Join(whose[why], ", ")+": "+why)
	}
	return lines
}

func wrapped(mark, text string) string {
	indent := strings.Repeat(" ", len([]rune(mark)))
	return mark + strings.ReplaceAll(wordwrap.WrapString(text, uint(width-len(indent))), "\n", "\n"+indent) + "\n"
}

func unknown(f Finding) string {
	if f.Number == hostRule.number {
		return f.Container + ": " + f.Found
	}
	return f.Container + " " + f.Found
}
