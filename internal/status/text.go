package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/mitchellh/go-wordwrap"
)

const width = 80

// Write prints the status for people, in 80 columns.
func (s Status) Write(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %s  release %s\n", s.Stack, s.Runtime, s.Release)
	fmt.Fprintf(&text, "image %s\n", cut(s.Image, 74))
	if s.Pinned {
		text.WriteString("an earlier release, until `make forward`\n")
	}
	if s.Maintenance {
		text.WriteString("the maintenance page is shown\n")
	}
	text.WriteString("\n")
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REPLICA\tSTATE\tSINCE\tRESTARTS\tCPU\tMEMORY\tNODE")
	for _, workload := range s.Workloads {
		fmt.Fprintf(table, "%s\t%d of %d\t\t\t\t\t\n", cut(workload.Name, 20), workload.Healthy, workload.Wanted)
		for _, r := range workload.Replicas {
			cpu, memory := "-", "-"
			if r.Limit > 0 {
				cpu, memory = fmt.Sprintf("%.2f", r.CPU), fmt.Sprintf("%s/%s", size(r.Memory), size(r.Limit))
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%d\t%s\t%s\t%s\n", cut(r.Name, 18), cut(r.State, 10), age(r.Seconds), r.Restarts, cpu, memory, cut(r.Node, 8))
		}
	}
	_ = table.Flush()
	text.WriteString("\n")
	table = tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, e := range s.Endpoints {
		answer := fmt.Sprintf("%d in %d ms", e.Code, e.Milliseconds)
		if e.Code == 0 {
			answer = "no answer"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.Name, cut(e.URL, 50), answer)
	}
	if c := s.Certificate; c != nil {
		kind := "given"
		if c.SelfSigned {
			kind = "self-signed"
		}
		fmt.Fprintf(table, "certificate\t%s, until %s\t%d days\n", kind, c.Until.Format(time.DateOnly), c.Days)
	}
	if s.Database != nil {
		fmt.Fprintf(table, "database\t%s\t\n", s.Database)
	}
	for _, b := range s.Backups {
		if b.Text == "" {
			fmt.Fprintf(table, "backup\t%s\t%s old\n", cut(b.Name, 50), age(b.Seconds))
		}
	}
	_ = table.Flush()
	for _, b := range s.Backups {
		if b.Text != "" {
			text.WriteString(wrapped("backup  "+b.Name+"  ", b.Text))
		}
	}
	text.WriteString("\n")
	if len(s.Problems) == 0 {
		text.WriteString("all is well\n")
	}
	for _, p := range s.Problems {
		text.WriteString(wrapped("! ", p))
	}
	for _, n := range s.Notes {
		text.WriteString(wrapped("· ", n))
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// wrapped breaks what begins a line, and its text, into lines.
func wrapped(begin, text string) string {
	return strings.ReplaceAll(wordwrap.WrapString(begin+text, width-2), "\n", "\n  ") + "\n"
}

func size(bytes uint64) string {
	return strings.ReplaceAll(units.CustomSize("%.4g%s", float64(bytes), 1024, []string{"B", "k", "M", "G", "T"}), " ", "")
}

// age is short: 45s, 12m, 3h, 9d.
func age(seconds int64) string {
	switch d := time.Duration(seconds) * time.Second; {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", seconds)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", seconds/60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}
