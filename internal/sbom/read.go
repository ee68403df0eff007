// Package sbom reads what an image is made of, as its package managers wrote that down, and
// writes it as CycloneDX: docs/adr/0033.
package sbom

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Package is something that has a version.
type Package struct {
	// Type is a package URL's: deb, apk, pypi, npm, golang, generic.
	Type          string
	Name, Version string
	// Arch is an architecture, and Source the package that it was built from, with its version
	// where that is another one: of deb and apk.
	Arch, Source, SourceVersion string
	// CPE is what the National Vulnerability Database calls it, where nobody else names it.
	CPE string
	// Path is where that was read.
	Path string
}

// Contents are an image's.
type Contents struct {
	Packages []Package
	// System is the distribution, as os-release has it.
	System System
	// Unread are what is there and nobody here can read.
	Unread []string
}

// System is a distribution: debian 12.
type System struct{ ID, Version, Name string }

// Most that is read of a file: of one that lists packages, and of a program.
const (
	mostText    = 64 << 20
	mostProgram = 512 << 20
	leastGo     = 256 << 10 // no program of Go's is smaller
)

var (
	python = regexp.MustCompile(`(^|/)[^/]+\.(dist-info/METADATA|egg-info/PKG-INFO|egg-info)$`)
	npm    = regexp.MustCompile(`(^|/)node_modules/(@[^/]+/)?[^/@]+/package\.json$`)
	elf    = []byte("\x7fELF")
)

// Read reads an image's files, from an archive of all of them, and its variables, as NAME=value.
func Read(archive io.Reader, environment []string) (Contents, error) {
	var c Contents
	owned := map[string]bool{} // by a package of the distribution
	for files := tar.NewReader(archive); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, fmt.Errorf("the image's files: %w", err)
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if unread := unreadable(name); unread != "" && !slices.Contains(c.Unread, unread) {
			c.Unread = append(c.Unread, unread)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := c.file(name, h, files, owned); err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
	}
	c.Packages = slices.DeleteFunc(c.Packages, func(p Package) bool { return owned["/"+p.Path] })
	c.Packages = append(c.Packages, installed(environment)...)
	slices.SortFunc(c.Packages, func(a, b Package) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.Path, b.Path))
	})
	return c, nil
}

// unreadable names what the file belongs to, where nobody here knows how to read that.
func unreadable(name string) string {
	for _, folder := range []string{"var/lib/rpm/", "usr/lib/sysimage/rpm/"} {
		if strings.HasPrefix(name, folder) && path.Ext(name) != "" || strings.HasPrefix(name, folder+"Packages") {
			return "the packages of RPM"
		}
	}
	return ""
}

// file adds what a file says.
func (c *Contents) file(name string, h *tar.Header, content io.Reader, owned map[string]bool) error {
	text := func() ([]byte, error) { return io.ReadAll(io.LimitReader(content, mostText)) }
	folder, base := path.Split(name)
	switch {
	case name == "var/lib/dpkg/status" || folder == "var/lib/dpkg/status.d/" && path.Ext(base) == "":
		return c.take(name, text, dpkg)
	case folder == "var/lib/dpkg/info/" && path.Ext(base) == ".list":
		data, err := text()
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); python.MatchString(line) || npm.MatchString(line) {
				owned[line] = true
			}
		}
		return err
	case name == "lib/apk/db/installed" || name == "usr/lib/apk/db/installed":
		return c.take(name, text, apk)
	case name == "etc/os-release" || name == "usr/lib/os-release":
		data, err := text()
		c.System = system(data)
		return err
	case python.MatchString(name):
		return c.take(name, text, metadata)
	case npm.MatchString(name):
		return c.take(name, text, manifest)
	case h.Mode&0o111 != 0 && h.Size >= leastGo && h.Size <= mostProgram:
		buffered := bufio.NewReader(content)
		if begin, err := buffered.Peek(len(elf)); err != nil || !bytes.Equal(begin, elf) {
			return nil
		}
		return c.take(name, func() ([]byte, error) { return io.ReadAll(buffered) }, program)
	}
	return nil
}

func (c *Contents) take(name string, content func() ([]byte, error), read func([]byte) []Package) error {
	data, err := content()
	if err != nil {
		return err
	}
	for _, p := range read(data) {
		if p.Name == "" || p.Version == "" {
			continue
		}
		p.Path = name
		c.Packages = append(c.Packages, p)
	}
	return nil
}

// stanzas are blocks of "Name: value" lines; what a value goes on with in further lines is left out.
func stanzas(data []byte) []map[string]string {
	var all []map[string]string
	for block := range strings.SplitSeq(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, is := strings.Cut(strings.TrimRight(line, "\n"), ":")
			if _, said := fields[name]; is && !said && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
				fields[name] = strings.TrimSpace(value)
			}
		}
		all = append(all, fields)
	}
	return all
}

// dpkg reads Debian's status file. What was removed, and has left its configuration, is not there.
func dpkg(data []byte) []Package {
	var all []Package
	for _, f := range stanzas(data) {
		if status := strings.Fields(f["Status"]); len(status) > 0 && status[len(status)-1] != "installed" {
			continue
		}
		source, version, _ := strings.Cut(f["Source"], " ")
		all = append(all, Package{Type: "deb", Name: f["Package"], Version: f["Version"], Arch: f["Architecture"],
			Source: source, SourceVersion: strings.Trim(version, "()")})
	}
	return all
}

// apk reads Alpine's.
func apk(data []byte) []Package {
	var all []Package
	for _, f := range stanzas(data) {
		all = append(all, Package{Type: "apk", Name: f["P"], Version: f["V"], Arch: f["A"], Source: f["o"]})
	}
	return all
}

// metadata reads what pip writes beside a package: its header, up to the first empty line.
func metadata(data []byte) []Package {
	f := stanzas(data)[0]
	return []Package{{Type: "pypi", Name: f["Name"], Version: f["Version"]}}
}

// manifest reads a package.json. One that can't be read is no package's.
func manifest(data []byte) []Package {
	var m struct{ Name, Version string }
	if json.Unmarshal(data, &m) != nil {
		return nil
	}
	return []Package{{Type: "npm", Name: m.Name, Version: m.Version}}
}

// program reads the modules that a Go program was made of.
func program(data []byte) []Package {
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	all := []Package{{Type: "golang", Name: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go"),
		CPE: "cpe:2.3:a:golang:go:" + strings.TrimPrefix(info.GoVersion, "go") + ":-:*:*:*:*:*:*"}}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		all = append(all, Package{Type: "golang", Name: d.Path, Version: d.Version})
	}
	return all
}

func system(data []byte) System {
	f := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), "="); is {
			f[name] = strings.Trim(value, `"'`)
		}
	}
	return System{f["ID"], f["VERSION_ID"], f["PRETTY_NAME"]}
}

// installed are what official images are made of and no package manager knows: they say so in
// their variables.
func installed(environment []string) []Package {
	var all []Package
	for _, variable := range environment {
		name, version, _ := strings.Cut(variable, "=")
		if version == "" {
			continue
		}
		switch name {
		case "PYTHON_VERSION":
			all = append(all, Package{Type: "generic", Name: "python", Version: version, CPE: "cpe:2.3:a:python:python:" + version + ":*:*:*:*:*:*:*"})
		case "NODE_VERSION":
			all = append(all, Package{Type: "generic", Name: "node", Version: version, CPE: "cpe:2.3:a:nodejs:node.js:" + version + ":*:*:*:*:*:*:*"})
		}
	}
	return all
}
