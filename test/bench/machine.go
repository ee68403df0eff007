package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// machine is what the figures were measured on. No names of hosts, no paths.
type machine struct {
	cores                                               int
	processor, memory, system, kernel, engine, versions string
	images                                              []string
	commit                                              string
	dirty                                               bool
}

func (b *bench) describeMachine(ctx context.Context) (machine, error) {
	var m machine
	var info struct {
		NCPU                                                          int
		MemTotal                                                      int64
		OperatingSystem, KernelVersion, ServerVersion, Driver, OSType string
		Architecture, CgroupVersion                                   string
	}
	text, err := output(ctx, "docker", "info", "--format", "{{json .}}")
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return m, fmt.Errorf("docker info: %w", err)
	}
	m.cores, m.system = info.NCPU, info.OperatingSystem+", "+info.Architecture
	m.memory = fmt.Sprintf("%.0f GB", float64(info.MemTotal)/1e9)
	// What follows the number is the builder's own.
	m.kernel = regexp.MustCompile(`^[0-9.]*[0-9]`).FindString(info.KernelVersion)
	m.engine = fmt.Sprintf("Docker %s, %s, cgroup v%s", info.ServerVersion, info.Driver, info.CgroupVersion)
	m.processor = processor()
	pulumi, err := output(ctx, "pulumi", "version")
	if err != nil {
		return m, err
	}
	m.versions = fmt.Sprintf("Pulumi %s, %s", strings.TrimPrefix(pulumi, "v"), runtime.Version())
	images, err := output(ctx, filepath.Join(b.root, "setup/base-images.sh"), "--list")
	if err != nil {
		return m, err
	}
	for image := range strings.Lines(images) {
		name, what, _ := strings.Cut(strings.TrimSpace(image), "\t")
		m.images = append(m.images, fmt.Sprintf("`%s`: %s", name, what))
	}
	git := func(args ...string) string {
		out, _ := output(ctx, append([]string{"git", "--no-optional-locks", "-C", b.root}, args...)...)
		return out
	}
	m.commit = git("rev-parse", "--short", "HEAD")
	m.dirty = git("status", "--porcelain", "--", ".", ":!docs/benchmarks.md") != ""
	if m.dirty {
		m.commit += ", with changes that are not committed"
	}
	return m, nil
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (m machine) rows() [][2]string {
	cores := fmt.Sprint(m.cores)
	if m.processor != "" {
		cores += ", " + m.processor
	}
	return [][2]string{
		{"cores", cores}, {"memory", m.memory}, {"system", m.system + ", kernel " + m.kernel}, {"engine", m.engine},
		{"versions", m.versions}, {"base images", strings.Join(m.images, "; ")}, {"commit", m.commit},
	}
}
