// Package storage is the part that keeps what the application must not lose: the volumes
// that the configuration names, and the address of its database.
package storage

import (
	"tarot-platform/components/part"
	"tarot-platform/internal/config"
)

// Part describes itself.
type Part struct{}

// Name implements part.Part.
func (Part) Name() string { return "storage" }

// Spec implements part.Part. The volumes' names are the configuration's, and other parts
// mount them.
func (Part) Spec(c part.Context) (part.Spec, error) {
	s := part.Spec{Component: "storage"}
	for _, v := range []struct{ kind, name string }{{"data", c.Volumes.Data}, {"static", c.Volumes.Static}, {"logs", c.Volumes.Logs}} {
		volume := part.Volume{Name: v.kind, Resource: "storage-" + v.kind, Engine: v.name, Data: true, Output: v.kind}
		if v.name == "" {
			volume.Unused, volume.Output = "volumes."+v.kind+" is empty", ""
		}
		s.Volumes = append(s.Volumes, volume)
	}
	database := part.Variable{Name: "DATABASE_URL", Value: c.Backend.DatabaseURL}
	if address := c.Secrets[config.DatabaseURLSecret]; address != "" {
		s.Secrets = []part.Secret{{Name: config.DatabaseURLSecret, Given: address}}
		// Exported, as hardly a program reads its file.
		database = part.Variable{Name: "DATABASE_URL", Secret: config.DatabaseURLSecret, Export: true}
	}
	s.Application = []part.Variable{database}
	return s, nil
}
