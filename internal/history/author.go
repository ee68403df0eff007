package history

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"time"
)

// Author is who does something, from where, and with which commit of this project.
type Author struct {
	// Who is the name that git has for whoever does it, or that of the pipeline's; Login is the
	// user of the machine, and Host that machine.
	Who   string `json:"who"`
	Login string `json:"login,omitempty"`
	Host  string `json:"host,omitempty"`
	// Commit is empty where there is no git, or no repository of it; Dirty: there are changes that are
	// in no commit.
	Commit string `json:"commit,omitempty"`
	Dirty  bool   `json:"dirty,omitempty"`
}

// gitTime is how long git may take: a large checkout on a slow disk is no reason to wait.
const gitTime = 5 * time.Second

// Me is who runs this program.
func Me(ctx context.Context) Author {
	var a Author
	if me, err := user.Current(); err == nil {
		a.Login = me.Username
	}
	a.Host, _ = os.Hostname()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gitTime)
	defer cancel()
	name, _ := git(ctx, "config", "user.name")
	// A pipeline's user has the same name whoever has started it.
	a.Who = cmp.Or(os.Getenv("GITHUB_ACTOR"), os.Getenv("GITLAB_USER_LOGIN"), name, a.Login, "somebody")
	// The checkout is of this project where git has its Pulumi.yaml: this folder may be a copy in another one.
	if _, err := git(ctx, "ls-files", "--error-unmatch", "Pulumi.yaml"); err != nil {
		return a
	}
	commit, err := git(ctx, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return a
	}
	changes, err := git(ctx, "status", "--porcelain")
	a.Commit, a.Dirty = commit, err == nil && changes != ""
	return a
}

func git(ctx context.Context, words ...string) (string, error) {
	// It only looks: no lock of an index that somebody works with.
	cmd := exec.CommandContext(ctx, "git", words...)
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// Name is the author for a person to read: name (login@host).
func (a Author) Name() string {
	place := a.Login
	if a.Host != "" {
		place += "@" + a.Host
	}
	if a.Who == a.Login || place == "" {
		return cmp.Or(place, a.Who)
	}
	return a.Who + " (" + place + ")"
}

// Revision is the commit; + where there is more than that.
func (a Author) Revision() string {
	switch {
	case a.Commit == "":
		return "-"
	case a.Dirty:
		return a.Commit + "+"
	}
	return a.Commit
}
