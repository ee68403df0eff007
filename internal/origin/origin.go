// Package origin says where the sources of an image come from, as the labels that the Open
// Container Initiative has for that.
package origin

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The labels of what a program of ours has built.
const (
	Revision = "org.opencontainers.image.revision"
	Created  = "org.opencontainers.image.created"
	Source   = "org.opencontainers.image.source"
	Version  = "org.opencontainers.image.version"
	// built tells these from what a base image says of itself.
	built = "tarot.built"
)

// timeout is more than git takes, but where it hangs.
const timeout = 10 * time.Second

// Labels are those of a folder's commit. Nothing where git does not know one: what is not known
// is not said.
func Labels(ctx context.Context, folder string) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	git := func(args ...string) (string, bool) {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, args...)...)
		cmd.Env = append(surroundings(), "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "TZ=UTC")
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err == nil
	}
	said, known := git("log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%H %cd")
	changes, looked := git("status", "--porcelain", "--", ".")
	revision, at, found := strings.Cut(said, " ")
	if !known || !looked || !found {
		return nil
	}
	version, _ := git("describe", "--tags", "--always")
	if changes != "" { // these sources are no commit's
		revision, version = revision+"-dirty", version+"-dirty"
	}
	remote, _ := git("remote", "get-url", "origin")
	labels := map[string]string{built: "yes", Revision: revision, Created: at, Version: version}
	if source := withoutPassword(remote); source != "" {
		labels[Source] = source
	}
	return labels
}

// Of are those among an image's labels that it was built with by Labels.
func Of(labels map[string]string) map[string]string {
	if labels[built] == "" {
		return nil
	}
	ours := map[string]string{}
	for _, name := range []string{built, Revision, Created, Source, Version} {
		if value := labels[name]; value != "" {
			ours[name] = value
		}
	}
	return ours
}

// withoutPassword leaves out who asks: a token may be in a remote's address, and labels are
// read by whoever has the image.
func withoutPassword(remote string) string {
	if !strings.Contains(remote, "://") {
		if strings.HasPrefix(remote, "/") || strings.HasPrefix(remote, ".") {
			return "" // a folder of this machine
		}
		return remote
	}
	parsed, err := url.Parse(remote)
	if err != nil || parsed.Scheme == "file" {
		return ""
	}
	parsed.User, parsed.RawQuery, parsed.Fragment = nil, "", ""
	return parsed.String()
}

// surroundings are without what a hook of git's says of another repository.
func surroundings() []string {
	var all []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "GIT_DIR=") && !strings.HasPrefix(variable, "GIT_WORK_TREE=") && !strings.HasPrefix(variable, "GIT_INDEX_FILE=") {
			all = append(all, variable)
		}
	}
	return all
}
