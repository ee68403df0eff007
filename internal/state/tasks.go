package state

import (
	"context"
	"fmt"
	"strconv"

	"tarot-platform/internal/engine"
)

// TasksOutput is the output of the platform that says which one-shot tasks have ended
// well: their containers' ids, by the tasks' names.
const TasksOutput = "tasks"

// Types of the resources that tell of tasks.
const (
	platformType  = "tarot:index:Platform"
	containerType = "docker:index/container:Container"
)

// Task is a one-shot task as the state knows it.
type Task struct {
	// ID is its container's.
	ID string
	// Attempt is the number that it was declared with.
	Attempt int
	// Ended is true where an `up` has written down that it ended well.
	Ended bool
}

// Next is the number of the next run of a task whose container is gone: another one, if
// it has to run again.
func (t Task) Next() int {
	if t.ID == "" || t.Ended {
		return t.Attempt
	}
	return t.Attempt + 1
}

// Tasks are those that the stack's state knows, by their names.
func Tasks(ctx context.Context, stack string) (map[string]Task, error) {
	out, err := export(ctx, stack)
	if err != nil {
		return nil, err
	}
	return tasks(out)
}

func tasks(export []byte) (map[string]Task, error) {
	found, err := resources(export)
	if err != nil {
		return nil, err
	}
	all, ended := map[string]Task{}, map[string]any{}
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
		all[labels[engine.WorkloadLabel]] = Task{ID: r.ID, Attempt: number}
	}
	for name, task := range all {
		task.Ended = ended[name] == task.ID
		all[name] = task
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
