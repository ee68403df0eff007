package langhost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// goPackage is what we ask go list about a package that the program is made of.
type goPackage struct {
	dir, module, version string
	indirect             bool
}

const listFormat = "{{with .Module}}{{$.Dir}}\t{{.Path}}\t{{.Version}}\t{{.Indirect}}{{end}}"

// listPackages asks about imported packages, not about all modules of go.mod: those would have to be downloaded, used
// or not, and a closed network does not have every one of them.
func listPackages(ctx context.Context, p program) ([]goPackage, error) {
	cmd := command(ctx, p.dir, "go", "list", "-deps", "-f", listFormat, p.pkg)
	var output, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, errs.String())
	}
	return parsePackages(output.String())
}

func parsePackages(output string) ([]goPackage, error) {
	var packages []goPackage
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" { // the standard library has no module
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("go list: cannot read %q", line)
		}
		packages = append(packages, goPackage{fields[0], fields[1], fields[2], fields[3] == "true"})
	}
	return packages, nil
}

// pluginFile is pulumi-plugin.json, with which an SDK names the plugin that it needs.
type pluginFile struct {
	Resource bool   `json:"resource"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Server   string `json:"server"`
}

// requiredPlugins finds the plugins of the SDKs that the program imports. The file lies in the SDK's package or at the
// root of its module.
func requiredPlugins(packages []goPackage) ([]pluginFile, error) {
	var plugins []pluginFile
	for _, p := range packages {
		data, err := os.ReadFile(filepath.Join(p.dir, "pulumi-plugin.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		var file pluginFile
		if err := json.Unmarshal(data, &file); err != nil {
			return nil, fmt.Errorf("pulumi-plugin.json of %s: %w", p.module, err)
		}
		if !file.Resource {
			continue
		}
		if file.Version == "" {
			file.Version = p.version
		}
		file.Version = strings.TrimPrefix(file.Version, "v")
		plugins = append(plugins, file)
	}
	return plugins, nil
}

// GetRequiredPackages lets the engine see before a run whether the plugins are there, in which version.
func (h *Host) GetRequiredPackages(
	call context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	plugins, err := h.plugins(call, req.GetInfo())
	if err != nil {
		return nil, err
	}
	resp := &pulumirpc.GetRequiredPackagesResponse{}
	for _, p := range plugins {
		resp.Packages = append(resp.Packages, &pulumirpc.PackageDependency{
			Name: p.Name, Kind: "resource", Version: p.Version, Server: p.Server,
		})
	}
	return resp, nil
}

// GetRequiredPlugins is what older engines ask instead.
func (h *Host) GetRequiredPlugins(
	call context.Context, req *pulumirpc.GetRequiredPluginsRequest,
) (*pulumirpc.GetRequiredPluginsResponse, error) {
	plugins, err := h.plugins(call, req.GetInfo())
	if err != nil {
		return nil, err
	}
	resp := &pulumirpc.GetRequiredPluginsResponse{}
	for _, p := range plugins {
		resp.Plugins = append(resp.Plugins, &pulumirpc.PluginDependency{
			Name: p.Name, Kind: "resource", Version: p.Version, Server: p.Server,
		})
	}
	return resp, nil
}

func (h *Host) plugins(call context.Context, info *pulumirpc.ProgramInfo) ([]pluginFile, error) {
	ctx, done := h.during(call)
	defer done()
	p, err := newProgram(info)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if p.prebuilt {
		return nil, nil // there may be no source; the engine finds plugins by what the program registers
	}
	packages, err := listPackages(ctx, p)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return requiredPlugins(packages)
}

// GetProgramDependencies lists modules for pulumi about.
func (h *Host) GetProgramDependencies(
	call context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	ctx, done := h.during(call)
	defer done()
	p, err := newProgram(req.GetInfo())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	packages, err := listPackages(ctx, p)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &pulumirpc.GetProgramDependenciesResponse{
		Dependencies: dependencies(packages, req.GetTransitiveDependencies()),
	}, nil
}

func dependencies(packages []goPackage, transitive bool) []*pulumirpc.DependencyInfo {
	var found []*pulumirpc.DependencyInfo
	seen := map[string]bool{}
	for _, p := range packages {
		// The program's own module has no version.
		if p.version == "" || seen[p.module] || (p.indirect && !transitive) {
			continue
		}
		seen[p.module] = true
		found = append(found, &pulumirpc.DependencyInfo{Name: p.module, Version: p.version})
	}
	return found
}
