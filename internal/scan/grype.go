package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/config"
	"tarot-platform/internal/sbom"
)

// programVariable names a grype of one's own.
const programVariable = "TAROT_GRYPE"

// colours are a terminal's.
var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// timeout is for a download of the database, too.
const timeout = 5 * time.Minute

// Program is the grype that there is: the one that the variable names, the one that `make scanner`
// has built, or one on the PATH. Nothing is built here.
func Program() (string, bool) {
	if named := os.Getenv(programVariable); named != "" {
		return named, true
	}
	if built := filepath.Join(cache(), "scanner", "grype"); runs(built) {
		return built, true
	}
	found, err := exec.LookPath("grype")
	return found, err == nil
}

func runs(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// cache is what setup/lib.sh calls cache_dir.
func cache() string {
	if folder := os.Getenv("TAROT_CACHE"); folder != "" {
		return folder
	}
	if folder := os.Getenv("XDG_CACHE_HOME"); folder != "" {
		return filepath.Join(folder, "tarot-platform")
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, ".cache", "tarot-platform")
}

// Of scans an image's bill of materials. What goes wrong is in the result.
func Of(ctx context.Context, image string, document []byte, settings config.Scan, now time.Time) Result {
	r := Result{Image: image, Scanned: now.UTC().Truncate(time.Second), FailOn: settings.FailOn, Unfixed: settings.Unfixed, Findings: []Finding{}, Accepted: []Finding{}, Others: map[string]int{}}
	contents, err := sbom.Summarize(document)
	if err != nil {
		return notScanned(r, "%v", err)
	}
	r.Packages = contents.Packages
	if contents.Packages == 0 {
		return notScanned(r, "no package is known that the image is made of (those of Debian, Alpine, pip, npm and Go are)")
	}
	program, there := Program()
	if !there {
		return notScanned(r, "there is no grype on this machine: `make scanner` builds one")
	}
	found, err := ask(ctx, program, document, settings)
	if err != nil {
		return notScanned(r, "%v", err)
	}
	r.Scanner, r.Database = found.scanner(), found.Descriptor.DB.Status.Built
	r = judge(r, found.findings(), settings, now)
	if len(contents.Unread) > 0 && r.Outcome == Clean {
		return notScanned(r, "what the image is made of is known in part alone: not %s", strings.Join(contents.Unread, ", "))
	}
	return r
}

// answer is grype's.
type answer struct {
	Matches []struct {
		Vulnerability          vulnerability
		RelatedVulnerabilities []vulnerability
		Artifact               struct{ Name, Version, Type string }
	}
	Descriptor struct {
		Name, Version string
		DB            struct {
			Status struct {
				Built time.Time
				Valid bool
				Error string
			}
		}
	}
}

type vulnerability struct {
	ID, Severity string
	Fix          struct {
		Versions []string
		State    string
	}
}

// ask runs grype. It gets no settings but those of the stack: an ignore rule in somebody's home
// would make of a finding none.
func ask(ctx context.Context, program string, document []byte, settings config.Scan) (answer, error) {
	var found answer
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	folder, err := os.MkdirTemp("", "tarot-scan-")
	if err != nil {
		return found, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "sbom.json")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		return found, err
	}
	return look(ctx, program, folder, settings, "sbom:"+file)
}

// look runs grype on what it can look at, in an empty folder.
func look(ctx context.Context, program, folder string, settings config.Scan, at ...string) (answer, error) {
	var found answer
	own := filepath.Join(folder, "grype.yaml")
	if err := os.WriteFile(own, []byte("check-for-app-update: false\n"), 0o600); err != nil {
		return found, err
	}
	cmd := exec.CommandContext(ctx, program, append(at, "--config", own, "--output", "json")...)
	cmd.Dir, cmd.Env = folder, environment(settings)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		switch {
		case ctx.Err() != nil:
			return found, fmt.Errorf("grype was stopped after %s", timeout)
		case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
			return found, fmt.Errorf("%s can't be run: %w", program, err)
		}
		return found, fmt.Errorf("grype: %s%s", last(said.String(), err), hint(said.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		return found, fmt.Errorf("what grype says can't be read: %w", err)
	}
	status := found.Descriptor.DB.Status
	if status.Error != "" || status.Built.IsZero() {
		return found, fmt.Errorf("grype does not say of when its database is: %s", status.Error)
	}
	return found, nil
}

// environment is grype's: where its database is, and how old that may be. What else a user has set
// for grype does not count, but for how its database is fetched.
func environment(settings config.Scan) []string {
	all := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "GRYPE_") && !strings.HasPrefix(variable, "GRYPE_DB_CA_CERT") && !strings.HasPrefix(variable, "GRYPE_DB_CACHE_DIR") || strings.HasPrefix(variable, "SYFT_")
	})
	all = append(all, "GRYPE_CHECK_FOR_APP_UPDATE=false", "GRYPE_DB_VALIDATE_AGE=true", fmt.Sprintf("GRYPE_DB_MAX_ALLOWED_BUILT_AGE=%dh", 24*settings.DatabaseDays),
		"GRYPE_DB_UPDATE_AVAILABLE_TIMEOUT=10s", "GRYPE_DB_UPDATE_DOWNLOAD_TIMEOUT=4m")
	switch {
	case strings.HasPrefix(settings.Database, "/"):
		all = append(all, "GRYPE_DB_CACHE_DIR="+settings.Database, "GRYPE_DB_AUTO_UPDATE=false")
	case settings.Database != "":
		all = append(all, "GRYPE_DB_UPDATE_URL="+settings.Database)
	}
	return all
}

// last is the last thing that was said, without colours.
func last(said string, err error) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	text := strings.TrimSpace(colours.ReplaceAllString(lines[len(lines)-1], ""))
	if text == "" {
		return err.Error()
	}
	const most = 300
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

// hint says what to do where there is no database, or none that counts.
func hint(said string) string {
	if !strings.Contains(said, "db") && !strings.Contains(said, "database") {
		return ""
	}
	return fmt.Sprintf(" (%s:build.scan.database names a mirror or a folder, databaseDays how old it may be)", config.Namespace)
}

func (a answer) scanner() string {
	return strings.TrimSpace(a.Descriptor.Name + " " + a.Descriptor.Version)
}

// findings has each vulnerability of a package once: two databases may tell of it.
func (a answer) findings() []Finding {
	var all []Finding
	seen := map[string]int{}
	for _, m := range a.Matches {
		f := Finding{ID: m.Vulnerability.ID, Severity: m.Vulnerability.Severity, Package: m.Artifact.Name, Version: m.Artifact.Version, Type: m.Artifact.Type, Fixed: []string{}}
		if m.Vulnerability.Fix.State == "fixed" {
			f.Fixed = append(f.Fixed, m.Vulnerability.Fix.Versions...)
		}
		for _, related := range m.RelatedVulnerabilities {
			if related.ID != f.ID && !slices.Contains(f.Aliases, related.ID) {
				f.Aliases = append(f.Aliases, related.ID)
			}
		}
		key := f.ID + " " + f.Package + " " + f.Version
		if i, twice := seen[key]; twice {
			if len(f.Fixed) > len(all[i].Fixed) {
				all[i] = f
			}
			continue
		}
		seen[key] = len(all)
		all = append(all, f)
	}
	return all
}
