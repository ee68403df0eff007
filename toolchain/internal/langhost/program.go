package langhost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// program is a Pulumi program: where its source is, and where its executable is, or will be.
type program struct {
	dir      string // the folder to build in
	pkg      string // the package to build, relative to dir
	exe      string
	prebuilt bool
	cached   bool
}

func newProgram(info *pulumirpc.ProgramInfo) (program, error) {
	opts, err := parseOptions(info.GetOptions())
	if err != nil {
		return program{}, err
	}
	p := program{dir: info.GetProgramDirectory(), pkg: buildArgument(info.GetEntryPoint())}
	switch {
	case opts.binary != "":
		p.exe, p.prebuilt = inside(p.dir, opts.binary), true
		if _, err := os.Stat(p.exe); err != nil {
			return program{}, fmt.Errorf("runtime option binary: %w", err)
		}
	case opts.buildTarget != "":
		p.exe = inside(p.dir, opts.buildTarget)
	default:
		cache, err := cacheDir()
		if err != nil {
			return program{}, err
		}
		p.exe, p.cached = filepath.Join(cache, cacheKey(p.dir, p.pkg), "program"), true
	}
	return p, nil
}

// buildArgument turns an entry point (".", "cmd/infra" or "main.go") into what go build takes: a path has to look like
// one, or it is taken for the name of a package.
func buildArgument(entry string) string {
	if entry == "" || entry == "." {
		return "."
	}
	if filepath.IsAbs(entry) || strings.HasPrefix(entry, ".") {
		return entry
	}
	return "./" + filepath.ToSlash(entry)
}

func inside(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
