package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

func rotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate STACK [SECRET]",
		Short: "a new value for a generated secret, such as adminPassword; without one, all secrets of the stack, and what a new value restarts",
		Args:  cobra.RangeArgs(1, 2),
		RunE: onStack(func(ctx context.Context, d deployed, args []string) error {
			return d.rotate(ctx, strings.Join(args, ""))
		}),
	}
}

func (d deployed) rotate(ctx context.Context, secret string) error {
	var all map[string]setting
	if err := pulumi(ctx, &all, "config", "--stack", d.name); err != nil {
		return err
	}
	known, err := rotations(all, d.prefix)
	if err != nil {
		return err
	}
	if secret == "" {
		return writeRotations(os.Stdout, known)
	}
	to, err := rotationOf(known, secret)
	if err != nil {
		return err
	}
	if err := d.free(ctx); err != nil {
		return err
	}
	versions := map[string]int{}
	if value := all["tarot:secretVersions"].ObjectValue; value != nil {
		if err := json.Unmarshal(value, &versions); err != nil {
			return fmt.Errorf("tarot:secretVersions: %w", err)
		}
	}
	note("a new %s: %s", secret, to.restarts)
	if err := d.set(ctx, "tarot:secretVersions."+secret, strconv.Itoa(versions[secret]+1)); err != nil {
		return err
	}
	return d.up(ctx, as(engine.Rotate, secret))
}

// rotation is how a secret gets another value.
type rotation struct {
	// key is what it is rotated by: its own name, or that of a generation that several have.
	key string
	// own is true where the user has given the value, and stays is why there is no other one.
	own   bool
	stays string
	// restarts says what a new value restarts.
	restarts string
}

// rotationOf is the one of a key, where that can be rotated.
func rotationOf(known []rotation, key string) (rotation, error) {
	var keys []string
	for _, r := range known {
		if r.key == key {
			switch {
			case r.stays != "":
				return r, fmt.Errorf("%s is not rotated: %s", key, r.stays)
			case r.own:
				return r, fmt.Errorf("tarot:%s is a value of your own: pulumi config set --secret tarot:%[1]s, then pulumi up", key)
			}
			return r, nil
		}
		if !r.own && r.stays == "" {
			keys = append(keys, r.key)
		}
	}
	return rotation{}, fmt.Errorf("SECRET is %q; allowed: %s. One of your own: pulumi config set --secret tarot:NAME, then pulumi up", key, strings.Join(keys, ", "))
}

// rotations are those of all secrets of a stack, in the order of its parts.
func rotations(all map[string]setting, prefix string) ([]rotation, error) {
	cfg, err := decode(all)
	if err != nil {
		return nil, err
	}
	cfg.Secrets = map[string]string{}
	for key := range all { // their values are told to nobody
		name, mine := strings.CutPrefix(key, config.Namespace+":")
		if mine && config.IsSecret(name) && name != config.DatabaseURLSecret { // of which the parts read more
			cfg.Secrets[name] = placeholder
		}
	}
	described, err := describeSecrets(cfg, prefix)
	if err != nil {
		return nil, err
	}
	var known []rotation
	names := map[string][]string{} // of the secrets that go together
	for _, d := range described {
		for _, s := range d.Secrets {
			key := s.Rotates
			if s.Given != "" || key == "" {
				key = s.Name
			}
			if !slices.ContainsFunc(known, func(r rotation) bool { return r.key == key }) {
				known = append(known, rotation{key: key, own: s.Given != "", stays: s.Stays})
			}
			names[key] = append(names[key], s.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) { // of which no part told
		name, mine := strings.CutPrefix(name, config.Namespace+":")
		if mine && config.IsSecret(name) && !slices.ContainsFunc(known, func(r rotation) bool { return r.key == name }) {
			known, names[name] = append(known, rotation{key: name, own: true}), []string{name}
		}
	}
	for i, r := range known {
		known[i].restarts = restarts(described, names[r.key])
	}
	return known, nil
}

// placeholder stands for a value that is not known here.
const placeholder = "secret"

// describeSecrets has the parts describe themselves. A certificate that is given may be a secret, or
// a file that is not here: it is the user's own in both cases.
func describeSecrets(cfg config.Config, prefix string) ([]part.Described, error) {
	if cfg.Nginx.TLS.Mode == "given" {
		cfg.Nginx.TLS.Mode = "off"
	}
	return collect(cfg, prefix, "")
}

// restarts says which services a new value of secrets restarts: those that have one of them in a
// file, or a file that is made of it.
func restarts(described []part.Described, secrets []string) string {
	has := func(s part.Service) bool {
		return slices.ContainsFunc(s.Secrets, func(f part.SecretFile) bool { return slices.Contains(secrets, f.Secret) }) ||
			slices.ContainsFunc(s.Files, func(f part.File) bool {
				return slices.ContainsFunc(f.Text.Secrets(), func(name string) bool { return slices.Contains(secrets, name) })
			})
	}
	services, jobs := map[string]bool{}, map[string]bool{}
	for _, d := range described {
		for _, s := range d.Services {
			if has(s) {
				services[s.Name] = true
			}
		}
		for _, j := range d.Jobs {
			if has(j.Service) {
				jobs[j.Name] = true
			}
		}
	}
	said := "restarts nothing"
	if len(services) > 0 {
		said = "restarts " + strings.Join(slices.Sorted(maps.Keys(services)), ", ")
	}
	if len(jobs) > 0 {
		said += "; runs again: " + strings.Join(slices.Sorted(maps.Keys(jobs)), ", ")
	}
	return said
}

// writeRotations writes a line for each.
func writeRotations(to io.Writer, known []rotation) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SECRET\tA NEW VALUE\tBY")
	for _, r := range known {
		by := "make rotate SECRET=" + r.key
		switch {
		case r.stays != "":
			by = "not rotated: " + r.stays
		case r.own:
			by = "pulumi config set --secret " + config.Namespace + ":" + r.key + ", then pulumi up"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.key, r.restarts, by)
	}
	return table.Flush()
}
