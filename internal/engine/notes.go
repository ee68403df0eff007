package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// What a command that works for minutes at a stack has done is noted in the engine: each note is an
// empty volume, with what it says as labels. It is there whatever becomes of the command, of the
// engine and of the machine that the command runs on, and whoever comes after sees it.
const (
	notesLabel = "tarot.operation"
	noteLabel  = "tarot.note"
	dataPrefix = "tarot.data."
)

func noteName(prefix, run, name string) string { return prefix + "-operation-" + run + "-" + name }

// Note writes one down. It is an error where somebody else has written another one of the name.
func (e *Engine) Note(ctx context.Context, prefix, run, name string, data map[string]string) error {
	labels := map[string]string{StackLabel: prefix, notesLabel: run, noteLabel: name}
	for key, value := range data {
		labels[dataPrefix+key] = value
	}
	made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: noteName(prefix, run, name), Labels: labels})
	if err != nil {
		return fmt.Errorf("note %s: %w", name, err)
	}
	for label, value := range labels {
		if made.Labels[label] != value {
			return fmt.Errorf("the volume %s is there already, and says something else: another command is at work on this stack, too", made.Name)
		}
	}
	return nil
}

// Notes are those of a run, by their names; of all runs where that is empty, by run and name.
func (e *Engine) Notes(ctx context.Context, prefix, run string) (map[string]map[string]string, error) {
	of := notesLabel
	if run != "" {
		of += "=" + run
	}
	found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", of))})
	if err != nil {
		return nil, fmt.Errorf("what an operation has noted: %w", err)
	}
	all := map[string]map[string]string{}
	for _, v := range found.Volumes {
		data := map[string]string{}
		for label, value := range v.Labels {
			if key, is := strings.CutPrefix(label, dataPrefix); is {
				data[key] = value
			}
		}
		name := v.Labels[noteLabel]
		if run == "" {
			name = v.Labels[notesLabel] + " " + name
		}
		all[name] = data
	}
	return all, nil
}

// RemoveNote removes one. That it is gone is no error.
func (e *Engine) RemoveNote(ctx context.Context, prefix, run, name string) error {
	return e.removeVolume(ctx, noteName(prefix, run, name))
}
