package part

import (
	"maps"

	"tarot-platform/components/workload"
)

// untagged are the drivers that refuse a tag.
var untagged = map[string]bool{"local": true, "none": true, "etwlogs": true}

// Log is how a workload logs: with its name as the tag that tells the logs apart.
func (c Context) Log(name string) workload.Logging {
	options := maps.Clone(c.Logging.Options)
	if options == nil {
		options = map[string]string{}
	}
	if options["tag"] == "" && !untagged[c.Logging.Driver] {
		options["tag"] = name
	}
	return workload.Logging{Driver: c.Logging.Driver, Options: options}
}
