// Package audit holds what runs against the CIS Docker Benchmark (the numbers are those of 1.6.0,
// sections 4 and 5: what a container can be asked for). Each rule passes, has an exception that is
// named with its reason, or fails.
package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
)

// Subject is a container of the stack.
type Subject struct {
	container.InspectResponse
	// Workload is whose it is, and Title is how its container is told.
	Workload, Title string
	// Job is true for what ends by itself, Task for what Swarm has made.
	Job, Task bool
}

// Result of a rule for a container.
type Result string

// The results. Unknown is for what could not be asked.
const (
	Pass      Result = "pass"
	Exception Result = "exception"
	Fail      Result = "fail"
	Unknown   Result = "unknown"
)

// Finding is a rule's word on a container.
type Finding struct {
	Number    string `json:"number"`
	Rule      string `json:"rule"`
	Container string `json:"container"`
	Result    Result `json:"result"`
	// Found is what is not as the rule wants it, and Why the exception's reason.
	Found string `json:"found,omitempty"`
	Why   string `json:"why,omitempty"`
}

// Report is about a stack.
type Report struct {
	Stack    string    `json:"stack"`
	Findings []Finding `json:"findings"`
	// Elsewhere are containers on other nodes, which only those nodes can be asked about.
	Elsewhere []string `json:"elsewhere,omitempty"`
}

// Of holds the containers against each rule that is about them.
func Of(stack string, engine system.Info, subjects []Subject, elsewhere []string) Report {
	r := Report{Stack: stack, Findings: []Finding{}, Elsewhere: elsewhere}
	for _, rule := range rules {
		for _, s := range subjects {
			if s.Job && rule.lasting {
				continue
			}
			f := Finding{Number: rule.number, Rule: rule.title, Container: s.Title, Result: Pass}
			if f.Found = rule.fault(engine, s); f.Found != "" {
				f.Result = Fail
				if f.Why = rule.excused(engine, s, f.Found); f.Why != "" {
					f.Result = Exception
				}
			}
			r.Findings = append(r.Findings, f)
		}
	}
	for _, title := range elsewhere {
		r.Findings = append(r.Findings, Finding{Rule: "every container is asked", Container: title, Result: Unknown, Found: "runs on another node: run `make audit` with that node's engine (DOCKER_HOST)"})
	}
	return r
}

// Failed is true where a rule fails.
func (r Report) Failed() bool { return r.has(Fail) }

// Untold is true where something could not be asked, or there was nothing to ask.
func (r Report) Untold() bool { return r.has(Unknown) || len(r.Findings) == 0 }

func (r Report) has(result Result) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Result == result })
}

// rule is one of the benchmark's.
type rule struct {
	number, title string
	lasting       bool // it is about what runs for ever alone
	// fault is what is wrong; empty: nothing.
	fault      func(system.Info, Subject) string
	exceptions []exception
}

// exception is a fault that is meant.
type exception struct {
	of  func(system.Info, Subject, string) bool
	why string
}

func (r rule) excused(engine system.Info, s Subject, found string) string {
	for _, e := range r.exceptions {
		if e.of(engine, s, found) {
			return e.why
		}
	}
	return ""
}

// named is true for a workload with one of these names; one that ends in "-" stands for all that begin so.
func named(names ...string) func(system.Info, Subject, string) bool {
	return func(_ system.Info, s Subject, _ string) bool { return isOf(s, names...) }
}

func isOf(s Subject, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return s.Workload == name || strings.HasSuffix(name, "-") && strings.HasPrefix(s.Workload, name)
	})
}

func without(fault bool, text string, args ...any) string {
	if !fault {
		return ""
	}
	return fmt.Sprintf(text, args...)
}
