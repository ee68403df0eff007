package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"tarot-platform/internal/config"
)

// python is what the image builds begin with; it is the applications' Dockerfiles that say so.
const python = "python:3.11-slim"

func projectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "project",
		Short: "the project's name",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			name, err := project()
			if err == nil {
				fmt.Println(name)
			}
			return err
		},
	}
}

func imagesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "images STACK",
		Short: "the images that a stack needs before its first `pulumi up`, one a line",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := "Pulumi." + args[0] + ".yaml"
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			images, err := imagesOf(text)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			for _, image := range images {
				fmt.Println(image)
			}
			return nil
		},
	}
}

// imagesOf reads a stack file. What it says is checked by the program, with every other
// key: this needs to understand only what is about images, and what a file doesn't say is
// as it is by default.
func imagesOf(text []byte) ([]string, error) {
	with := config.Defaults()
	var file struct {
		Config struct {
			Backend struct{ Image *string } `yaml:"tarot:backend"`
			Build   struct {
				BaseRegistry string `yaml:"baseRegistry"`
			} `yaml:"tarot:build"`
			Nginx struct {
				Enabled *bool
				Image   *string
			} `yaml:"tarot:nginx"`
			Monitor struct {
				Enabled *bool
				Grafana struct{ Enabled *bool }
				Images  map[string]string
			} `yaml:"tarot:monitoring"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	c := file.Config
	var images []string
	if c.Backend.Image == nil || *c.Backend.Image == "" {
		images = append(images, c.Build.BaseRegistry+python)
	}
	if or(c.Nginx.Enabled, with.Nginx.Enabled) {
		images = append(images, or(c.Nginx.Image, with.Nginx.Image))
	}
	if !or(c.Monitor.Enabled, with.Monitoring.Enabled) {
		return images, nil
	}
	m := with.Monitoring.Images
	for _, image := range []struct {
		key, byDefault string
		needed         bool
	}{
		{"prometheus", m.Prometheus, true}, {"alertmanager", m.Alertmanager, true}, {"nodeExporter", m.NodeExporter, true},
		{"blackboxExporter", m.BlackboxExporter, true}, {"cadvisor", m.Cadvisor, true},
		{"grafana", m.Grafana, or(c.Monitor.Grafana.Enabled, with.Monitoring.Grafana.Enabled)},
	} {
		if name, given := c.Monitor.Images[image.key]; given {
			image.byDefault = name
		}
		if image.needed {
			images = append(images, image.byDefault)
		}
	}
	return images, nil
}

func or[T any](given *T, byDefault T) T {
	if given == nil {
		return byDefault
	}
	return *given
}
