package config

import (
	"cmp"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

func (b Build) check(c *checker) {
	c.want(b.BaseRegistry == "" || strings.HasSuffix(b.BaseRegistry, "/"), "build.baseRegistry", b.BaseRegistry)
	for key, value := range map[string]string{"build.pipIndexUrl": b.PipIndexURL, "build.aptMirror": b.AptMirror} {
		parsed, err := url.Parse(value)
		c.want(value == "" || err == nil && parsed.Host != "" && parsed.User == nil, key, withoutPassword(value))
	}
	for name, value := range b.Args {
		if HasPassword(value) {
			c.want(false, "build.args", name) // what it is would be shown
		}
		c.want(variableName.MatchString(name), "build.args", name)
	}
	for name, exact := range b.BaseImages {
		named, err := reference.ParseNormalizedNamed(name)
		_, digested := named.(reference.Digested)
		c.want(err == nil && !digested, "build.baseImages", name)
		_, err = reference.ParseNormalizedNamed(exact)
		c.want(err == nil, "build.baseImages", exact)
	}
	for i, name := range b.Secrets {
		c.want(secretName.MatchString(name) && !slices.Contains(b.Secrets[:i], name), "build.secrets", name)
	}
	c.want(b.Platform == "" || platformName.MatchString(b.Platform), "build.platform", b.Platform)
	b.Scan.check(c)
}

// isDockerfile is true for a file that a build of the context can be made by: with a path
// from there, which may lead out of it.
func isDockerfile(context, path string) bool {
	file, err := os.Stat(filepath.Join(context, path))
	return err == nil && file.Mode().IsRegular() && !filepath.IsAbs(path)
}

// Bases are the exact images by the full names of those that they stand for. The
// configuration has been checked.
func (b Build) Bases() map[string]string {
	all := map[string]string{}
	for name, exact := range b.BaseImages {
		if named, err := reference.ParseNormalizedNamed(name); err == nil {
			all[reference.FamiliarString(reference.TagNameOnly(named))] = exact
		}
	}
	return all
}

// Base is what stands for an image that a Dockerfile names.
func (b Build) Base(name string) string { return cmp.Or(b.Bases()[name], name) }

// BaseName is how the stack file writes the name of a base image, and the name where it does
// not.
func (b Build) BaseName(name string) string {
	for written := range b.BaseImages {
		if _, same := (Build{BaseImages: map[string]string{written: ""}}).Bases()[name]; same {
			return written
		}
	}
	return name
}
