package part

import (
	"slices"

	"tarot-platform/internal/config"
)

// Private are the volumes with what somebody has stored, or with copies of it, that the parts use.
func Private(parts []Described) (all []Volume) {
	for _, d := range parts {
		for _, v := range d.Volumes {
			if v.Private() && v.Unused == "" {
				all = append(all, v)
			}
		}
	}
	return all
}

// WithShell are the exact images that something of the platform's own can run in that is a few lines of
// shell, those first that set-up gets.
func WithShell(parts []Described) []string {
	var ready, application []string
	for _, d := range parts {
		for _, i := range d.Images {
			switch {
			case i.Reference == "":
			case i.Name == config.BackendName:
				application = append(application, i.Reference)
			case i.Build == nil && slices.Contains([]string{"nginx", "postgres", "valkey"}, i.Name):
				ready = append(ready, i.Reference)
			}
		}
	}
	return append(ready, application...)
}
