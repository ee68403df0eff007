package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
)

// dataChecks are of what is stored.
var dataChecks = []check{
	{id: "volumes", checked: "the volumes are there, and mounted", do: volumesMounted},
	{id: "data-writable", checked: "the application may write its data", after: []string{"volumes", "disk", "inodes"}, do: writable},
	{id: "database-file", checked: "the database's file can be read", after: []string{"volumes", "disk", "data-writable"}, do: databaseFile},
}

func volumesMounted(ctx context.Context, p *patient) finding {
	places, err := p.volumes.get(ctx)
	bodies, err2 := p.bodies.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	s, unread := p.state.get(ctx)
	var gone, loose []string
	needed := map[string]bool{}
	for _, name := range s.Out.Volumes {
		needed[name] = true
	}
	for _, b := range bodies {
		if !b.lives() {
			continue
		}
		for _, m := range b.Mounts {
			if m.Type == "volume" {
				needed[m.Name] = true
			}
		}
		if !b.running() && strings.Contains(b.State.Error, "mount") {
			loose = append(loose, b.Workload.Name+": "+b.State.Error)
		}
		for _, place := range s.Out.Services[b.Of].Writes {
			if unread == nil && !mounted(b, place) {
				loose = append(loose, fmt.Sprintf("%s writes %s, and nothing is mounted there", b.Workload.Name, place))
			}
		}
	}
	for name := range needed {
		if _, there := places[name]; !there {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	switch {
	case len(gone) > 0:
		return finding{result: checks.Fail, found: "the engine has no volume " + strings.Join(gone, ", "), cause: "somebody has removed it, with what was in it, or this is another engine", mend: "make restore STACK=" + p.Name}
	case len(loose) > 0:
		return finding{result: checks.Fail, found: strings.Join(loose, "; "), cause: "what is written goes where it is lost with the container, or the container can't start", mend: "pulumi up --refresh --yes -s {stack}"}
	case len(needed) == 0:
		return skip("nothing of the stack has one")
	}
	return pass("all %d", len(needed))
}

// mounted is true for a place in a container below which something is mounted that lasts.
func mounted(b body, place string) bool {
	for _, m := range b.Mounts {
		if (place == m.Destination || strings.HasPrefix(place, m.Destination+"/")) && m.RW && m.Type != "tmpfs" {
			return true
		}
	}
	return false
}

func writable(ctx context.Context, p *patient) finding {
	bodies, err := p.bodies.get(ctx)
	insides, err2 := p.insides.get(ctx)
	if err := together(err, err2); err != nil {
		return unknown(err)
	}
	out := p.outputs(ctx)
	var refused, tried []string
	var where, user string
	unasked := errors.New("no replica of it runs that could try, and its files are not this machine's")
	any := false
	for _, b := range bodies {
		places := p.writes(b, out)
		if !b.lives() || len(places) == 0 {
			continue
		}
		any = true
		if in, looked := insides[b.ID]; looked && in.err == nil {
			for _, line := range in.of("write") {
				tried = append(tried, line[0])
				if len(line) > 1 && line[1] != "" && line[1] != "missing" {
					refused, where = append(refused, fmt.Sprintf("%s may not write %s: %s", b.Workload.Name, line[0], line[1])), sourceOf(b, line[0])
					user = b.Config.User
				}
			}
			continue
		} else if looked {
			unasked = in.err
		}
		if b.running() || !p.About.Local {
			continue
		}
		for _, place := range places { // it does not run, perhaps for this very reason
			source := sourceOf(b, place)
			why, err := closed(source, b.Config.User)
			if err != nil {
				continue
			}
			if tried = append(tried, place); why != "" {
				refused, where = append(refused, fmt.Sprintf("%s may not write %s: %s", b.Workload.Name, place, why)), source
				user = b.Config.User
			}
		}
	}
	slices.Sort(tried)
	tried = slices.Compact(tried)
	switch {
	case len(refused) > 0:
		return finding{result: checks.Fail, found: strings.Join(refused, "; "), cause: "its files belong to another user, or have lost their rights: docs/operating.md, who owns a volume's files",
			mend: fmt.Sprintf("chown -R %s %s && chmod -R u+rwX %s", user, where, where)}
	case !any:
		return skip("nothing of the stack that is here stores anything")
	case len(tried) == 0:
		return unknown(unasked)
	}
	return pass("%s", strings.Join(tried, ", "))
}

// sourceOf is the folder of the host that a place in a container is: for a file, the one that it is in.
func sourceOf(b body, place string) string {
	for _, m := range b.Mounts {
		if place == m.Destination || strings.HasPrefix(place, m.Destination+"/") {
			return m.Source
		}
	}
	return place
}

// closed is why a user, by number, may not write the files of a folder; an error where that can't be seen.
func closed(folder, user string) (why string, err error) {
	uid, _, _ := strings.Cut(user, ":")
	number, err := strconv.Atoi(uid)
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !mayWrite(info, number) {
			why = fmt.Sprintf("%s is %s", path, owned(info))
			return fs.SkipAll
		}
		if d.IsDir() && path != folder {
			return fs.SkipDir // what lies deeper is looked at where it is tried
		}
		return nil
	})
	return why, err
}

func databaseFile(ctx context.Context, p *patient) finding {
	if p.ConfigError == nil && p.Config.Database.Kind != config.SQLite {
		return skip("the database is a server")
	}
	found, err := p.addresses(ctx)
	if err != nil {
		return unknown(err)
	}
	for _, a := range found {
		if a.Scheme != "sqlite" {
			continue
		}
		if a.Error != "" {
			return finding{result: checks.Fail, found: a.Name + " in " + a.of + ": " + a.Error, cause: "the file is not the one that is meant, may not be read, or is no database any more: docs/database.md",
				mend: "make restore STACK=" + p.Name + " ONLY=database"}
		}
		return pass("%s of %s", a.To, a.Name)
	}
	return skip("no variable of what runs names one")
}
