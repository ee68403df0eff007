package drift

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"tarot-platform/internal/engine"
)

// files compares what is in volumes that `up` has filled, by hashes: those of the files of plain
// containers, and that of nginx's configuration. The hashes are shown to nobody, as some are of secrets.
func (c *comparison) files() error {
	for _, w := range c.wanted.containers {
		if len(w.Uploads) == 0 {
			continue
		}
		var err error
		switch job := w.job(); {
		case job == c.Installed.Job && job != "":
			err = c.installed(w)
		case job == "" && !w.kept():
			err = c.filled(w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// filled are volumes with a workload's files.
func (c *comparison) filled(w containerWanted) error {
	for _, m := range w.Mounts {
		wants := map[string]string{}
		for _, u := range w.Uploads {
			if name, below := strings.CutPrefix(u.File, m.Target+"/"); below {
				wants[name] = engine.Sum([]byte(u.Content))
			}
		}
		if _, there := c.actual.Volumes[m.Source]; !there {
			continue // which is told
		}
		id, folder, there := c.actual.Mounting(m.Source)
		if !there {
			continue // nobody has it: so its containers are gone, which is told
		}
		c.counts["files"]++
		has, err := c.docker.Sums(c.ctx, id, folder, nil)
		if err != nil {
			return err
		}
		maps.DeleteFunc(has, func(name string, _ engine.File) bool { return wants[name] == "" }) // what the image has there comes along
		if differs, since := unequal(wants, has, nil); len(differs) > 0 {
			c.add(finding{kind: "files-changed", subject: m.Source, wanted: fmt.Sprintf("%d files as they were put there", len(wants)), found: strings.Join(differs, ", "), since: since,
				mend: fmt.Sprintf("pulumi up -s %s --replace '%s' puts them into new volumes, and exchanges what has them", c.Name, c.suffix(w))})
		}
	}
	return nil
}

// suffix is the resource of which a new value is new volumes for the files.
func (c *comparison) suffix(w containerWanted) string {
	return strings.Replace(w.urn, "docker:index/container:Container", "random:index/randomId:RandomId", 1)
}

// installed is what the job has put where its volume's `current` leads.
func (c *comparison) installed(w containerWanted) error {
	wants := map[string]string{}
	for _, u := range w.Uploads {
		wants[path.Base(u.File)] = engine.Sum(c.normal(u.File, []byte(u.Content)))
	}
	for _, m := range w.Mounts {
		if m.Target != c.Installed.Folder {
			continue
		}
		if _, there := c.actual.Volumes[m.Source]; !there {
			return nil // which is told
		}
		id, folder, there := c.actual.Mounting(m.Source)
		if !there {
			return nil
		}
		c.counts["nginx"]++
		all, err := c.docker.Sums(c.ctx, id, folder, c.normal)
		if err != nil {
			return err
		}
		current := path.Base(all["current"].Link)
		has := map[string]engine.File{}
		for name, file := range all {
			if inside, below := strings.CutPrefix(name, current+"/"); below {
				has[inside] = file
			}
		}
		if differs, since := unequal(wants, has, c.Installed.Own); len(differs) > 0 {
			c.add(finding{kind: "nginx-configuration", subject: m.Source, wanted: "nginx's configuration as it was put there", found: strings.Join(differs, ", "), since: since, own: true,
				mend: fmt.Sprintf("make rotate STACK=%s SECRET=edgeToken, a new password between deploys and nginx, puts the whole of it there anew", c.Name)})
		}
	}
	return nil
}

func (c *comparison) normal(_ string, content []byte) []byte {
	if c.Installed.Opened == nil {
		return content
	}
	return c.Installed.Opened(content)
}

// unequal are the files that differ, by their names, and when the last of them was changed.
func unequal(wants map[string]string, has map[string]engine.File, own []string) (differs []string, since time.Time) {
	for _, name := range slices.Sorted(maps.Keys(wants)) {
		file, there := has[name]
		switch {
		case !there:
			differs = append(differs, name+" is gone")
		case file.Sum != wants[name]:
			differs = append(differs, name+" holds something else")
			if file.Changed.After(since) {
				since = file.Changed
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(has)) {
		if _, wanted := wants[name]; !wanted && !slices.Contains(own, name) {
			differs = append(differs, name+" is new")
		}
	}
	return differs, since
}
