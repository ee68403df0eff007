package state

import (
	"context"
	"fmt"
	"strconv"

	"tarot-platform/internal/engine"
)

// JobRunsOutput is the output of the platform that says which jobs have ended well: their
// containers' ids, by the jobs' names. What states call it stays.
const JobRunsOutput = "tasks"

// Types of the resources that tell of jobs.
const (
	platformType  = "tarot:index:Platform"
	containerType = "docker:index/container:Container"
)

// Job is a job as the state knows it.
type Job struct {
	// ID is its container's.
	ID string
	// Attempt is the number that it was declared with.
	Attempt int
	// Ended is true where an `up` has written down that it ended well.
	Ended bool
}

// Next is the number of the next run of a job whose container is gone: another one, if
// it has to run again.
func (j Job) Next() int {
	if j.ID == "" || j.Ended {
		return j.Attempt
	}
	return j.Attempt + 1
}

// Jobs are those that the stack's state knows, by their names.
func Jobs(ctx context.Context, stack string) (map[string]Job, error) {
	out, err := export(ctx, stack)
	if err != nil {
		return nil, err
	}
	return jobs(out)
}

func jobs(export []byte) (map[string]Job, error) {
	found, err := resources(export)
	if err != nil {
		return nil, err
	}
	all, ended := map[string]Job{}, map[string]any{}
	for _, r := range found {
		if r.Type == platformType && r.Outputs.Tasks != nil {
			ended, _ = r.Outputs.Tasks.(map[string]any)
		}
		labels := labelsOf(r)
		attempt, once := labels[engine.AttemptLabel]
		if r.Delete || r.Type != containerType || !once {
			continue
		}
		number, err := strconv.Atoi(attempt)
		if err != nil {
			return nil, fmt.Errorf("pulumi stack export: container %s: label %s: %w", r.ID, engine.AttemptLabel, err)
		}
		all[labels[engine.WorkloadLabel]] = Job{ID: r.ID, Attempt: number}
	}
	for name, job := range all {
		job.Ended = ended[name] == job.ID
		all[name] = job
	}
	return all, nil
}

func labelsOf(container resource) map[string]string {
	all := map[string]string{}
	list, _ := container.Inputs.Labels.([]any)
	for _, item := range list {
		label, _ := item.(map[string]any)
		all[fmt.Sprint(label["label"])] = fmt.Sprint(label["value"])
	}
	return all
}
