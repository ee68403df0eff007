package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"tarot-platform/components/part"
	"tarot-platform/components/parts"
	"tarot-platform/internal/config"
	"tarot-platform/internal/stackfile"
)

func imagesCommand() *cobra.Command {
	var all bool
	var next string
	cmd := &cobra.Command{
		Use:   "images [STACK]",
		Short: "the images that a stack needs before its first `pulumi up`, one a line",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if all {
				return writeImages(os.Stdout)
			}
			if len(args) == 0 {
				return fmt.Errorf("which stack?")
			}
			file := "Pulumi." + args[0] + ".yaml"
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			images, err := imagesOf(text, next)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			for _, image := range images {
				fmt.Println(image)
			}
			return nil
		},
	}
	cmd.AddCommand(updateImagesCommand())
	cmd.Flags().StringVar(&next, "next", "", "as if tarot:database.next said that; "+newest+": the newest version of PostgreSQL")
	cmd.Flags().BoolVar(&all, "all", false, "setup/images.txt: those of all parts, whatever a stack asks for")
	return cmd
}

// newest stands for the version of PostgreSQL that an upgrade leads to.
const newest = "upgrade"

// imagesOf reads a stack file. Its values are checked by the program, with its secrets.
func imagesOf(text []byte, next string) ([]string, error) {
	cfg, err := configurationOf(text)
	if err != nil {
		return nil, err
	}
	if next == newest {
		next = strconv.Itoa(config.NewestDatabase())
	}
	cfg.Database.Next = cmp.Or(next, cfg.Database.Next)
	described, err := describe(cfg, "")
	if err != nil {
		return nil, err
	}
	return setUpOf(described), nil
}

// configurationOf is what a stack file says, but for its secrets.
func configurationOf(text []byte) (config.Config, error) {
	var file struct{ Config map[string]any }
	if strings.TrimSpace(string(text)) != "" {
		open, _, err := stackfile.Forget(text)
		if err == nil {
			err = yaml.Unmarshal(open, &file)
		}
		if err != nil {
			return config.Config{}, err
		}
	}
	raw := map[string]string{}
	for key, value := range file.Config {
		if said, plain := value.(string); plain {
			raw[key] = said
			continue
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			return config.Config{}, fmt.Errorf("%s: %w", key, err)
		}
		raw[key] = string(encoded)
	}
	return config.Decode(raw)
}

// describe asks the parts, where nothing is known of an engine but its platform, if that, and no
// secret.
func describe(cfg config.Config, platform string) ([]part.Described, error) {
	cfg.Nginx.TLS.Mode = "off" // a certificate that is given may be a secret
	return collect(cfg, "stack", platform)
}

// collect has the parts of a configuration describe themselves. Prefix begins the names of everything in the
// engine.
func collect(cfg config.Config, prefix, platform string) ([]part.Described, error) {
	c := part.Context{Config: cfg, Stack: prefix, Site: part.Site{URL: "https://localhost"}, Host: part.Host{Platform: platform},
		Release: part.Release{Image: cfg.Backend.Image, Images: map[string]string{}}}
	for name, s := range cfg.Services {
		c.Release.Images[name] = s.Image
	}
	return part.Collect(parts.All, c)
}

// need is who needs the images of a configuration.
type need struct {
	who string
	cfg config.Config
}

// writeImages writes a line for each image that set-up knows: who needs it, what its stand-in
// is called (setup/standins), and its name. Nothing works without what is required, there is
// no monitoring without what is optional, and the rest is for some stacks only.
func writeImages(to io.Writer) error {
	watched := config.Defaults()
	watched.Monitoring.Enabled = true
	if _, err := fmt.Fprintln(to, "# Made of the parts' descriptions by `make docs`. Do not edit."); err != nil {
		return err
	}
	written, kinds := map[string]bool{"": true}, map[string]bool{}
	needs := []need{{"required", config.Defaults()}, {"optional", watched}, {"some", config.Everything()}}
	for _, version := range slices.Sorted(maps.Keys(config.DatabaseVersions)) {
		other := config.Everything()
		other.Database.Version = version
		needs = append(needs, need{"some", other})
	}
	for _, of := range needs {
		described, err := describe(of.cfg, "")
		if err != nil {
			return err
		}
		for _, image := range setUpOf(described) {
			if written[image] {
				continue
			}
			written[image] = true
			kind, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
			if kinds[kind] { // another version of it
				major, _, _ := strings.Cut(tag, ".")
				kind += major
			}
			kinds[kind] = true
			if _, err := fmt.Fprintln(to, of.who, kind, image); err != nil {
				return err
			}
		}
	}
	return nil
}

// setUpOf are the images that set-up gets for the parts.
func setUpOf(described []part.Described) []string {
	var images []string
	for _, d := range described {
		for _, i := range d.Images {
			if i.SetUp != "" {
				images = append(images, i.SetUp)
			}
		}
	}
	return images
}
