package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// entry is a file in a volume of the fake.
type entry struct {
	tar.Header
	content string
}

// volumesAPI is an engine with volumes that can be read and written as archives, as Docker's: a
// folder is in its own archive, by its name, and one that is there gets what the archive says.
type volumesAPI struct {
	fakeAPI
	content map[string]map[string]entry // by the volume's name, and the path; "" is the folder itself
	mounts  map[string]string           // the volume of a folder, of the container
	spoil   func(map[string]entry)      // what happens to what is written
	wrote   error
}

func (v *volumesAPI) ContainerCreate(_ context.Context, c *container.Config, h *container.HostConfig, _ *network.NetworkingConfig, _ *ocispec.Platform, _ string) (container.CreateResponse, error) {
	if v.mounts == nil {
		v.mounts = map[string]string{}
	}
	m := h.Mounts[0]
	v.mounts[m.Target] = m.Source
	v.done = append(v.done, fmt.Sprintf("container of %s with %s", c.Image, m.Source))
	return container.CreateResponse{ID: "helper " + m.Target}, v.failure
}

func (v *volumesAPI) CopyFromContainer(_ context.Context, id, folder string) (io.ReadCloser, container.PathStat, error) {
	if id != "helper "+folder {
		return nil, container.PathStat{}, errors.New(id + " has no " + folder)
	}
	files := v.content[v.mounts[folder]]
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e := files[name]
		e.Name = path.Join(path.Base(folder), name)
		if e.Typeflag == tar.TypeDir {
			e.Name += "/"
		}
		if e.Typeflag == tar.TypeLink {
			e.Linkname = path.Join(path.Base(folder), e.Linkname)
		}
		e.Size = int64(len(e.content))
		if err := archive.WriteHeader(&e.Header); err != nil {
			return nil, container.PathStat{}, err
		}
		_, _ = io.WriteString(archive, e.content)
	}
	return io.NopCloser(&out), container.PathStat{}, archive.Close()
}

func (v *volumesAPI) CopyToContainer(_ context.Context, id, folder string, content io.Reader, _ container.CopyToContainerOptions) error {
	if id != "helper /to" { // the engine holds the other one for as long as it is read
		return errors.New("it is being read: this waits for ever")
	}
	if folder != "/" {
		return errors.New("the folder itself would keep its owner")
	}
	for files := tar.NewReader(content); ; {
		h, err := files.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return err
			}
			break
		}
		if v.wrote != nil {
			return v.wrote
		}
		for target, name := range v.mounts {
			if inside, is := strings.CutPrefix("/"+path.Clean(h.Name)+"/", target+"/"); is {
				text, _ := io.ReadAll(files)
				link, _ := strings.CutPrefix(h.Linkname, strings.TrimPrefix(target, "/")+"/")
				v.content[name][strings.TrimSuffix(inside, "/")] = entry{tar.Header{Typeflag: h.Typeflag, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid, Linkname: link}, string(text)}
			}
		}
	}
	if v.spoil != nil {
		v.spoil(v.content[v.mounts["/to"]])
	}
	return nil
}

func aVolume(owner int) map[string]entry {
	return map[string]entry{"": {tar.Header{Typeflag: tar.TypeDir, Mode: 0o755, Uid: owner, Gid: owner}, ""}}
}

func fullVolume() map[string]entry {
	all := aVolume(10001)
	for name, text := range map[string]string{"prod.db": "rows", "prod.db-wal": "newer rows", "uploads/cat.txt": "a cat"} {
		all[name] = entry{tar.Header{Typeflag: tar.TypeReg, Mode: 0o640, Uid: 10001, Gid: 10001}, text}
	}
	all["uploads"] = entry{tar.Header{Typeflag: tar.TypeDir, Mode: 0o2750, Uid: 10001, Gid: 20}, ""}
	all["current"] = entry{tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Uid: 10001, Gid: 10001, Linkname: "from/prod.db"}, ""}
	all["uploads/kitten.txt"] = entry{tar.Header{Typeflag: tar.TypeLink, Mode: 0o640, Uid: 10001, Gid: 10001, Linkname: "uploads/cat.txt"}, ""}
	all[".backup"] = entry{tar.Header{Typeflag: tar.TypeDir, Mode: 0o700, Uid: 10001, Gid: 10001}, ""}
	all[".backup/place.json"] = entry{tar.Header{Typeflag: tar.TypeReg, Mode: 0o600, Uid: 10001, Gid: 10001}, "{}"}
	return all
}

func TestAVolumeIsCopiedWithItsOwnersAndModes(t *testing.T) {
	api := &volumesAPI{content: map[string]map[string]entry{"old": fullVolume(), "new": aVolume(0)}}
	done, err := (&Engine{api: api}).CopyVolume(t.Context(), "tarot-prod", "tarot-backend:1", "old", "new")
	if err != nil || done.Files != 6 || done.Bytes != int64(len("rows"+"newer rows"+"a cat")) {
		t.Fatalf("%+v, %v", done, err)
	}
	want := fullVolume()
	delete(want, ".backup")
	delete(want, ".backup/place.json")
	if got := api.content["new"]; !maps.EqualFunc(got, want, func(a, b entry) bool {
		return a.content == b.content && a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid && a.Typeflag == b.Typeflag && a.Linkname == b.Linkname
	}) {
		t.Errorf("%+v", got)
	}
	if !maps.EqualFunc(api.content["old"], fullVolume(), func(a, b entry) bool { return a.content == b.content }) {
		t.Error("what was copied has been changed")
	}
	if want := []string{"container of tarot-backend:1 with old", "container of tarot-backend:1 with new", "remove helper /from", "remove helper /to"}; !slices.Equal(api.done, want) {
		t.Errorf("did %q, want %q", api.done, want)
	}
}

func TestACopyThatIsAnotherOneIsNone(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(*volumesAPI)
	}{
		{"a byte", "prod.db is another one", func(v *volumesAPI) {
			v.spoil = func(f map[string]entry) { e := f["prod.db"]; e.content = "rowz"; f["prod.db"] = e }
		}},
		{"a file less", "prod.db-wal is missing", func(v *volumesAPI) {
			v.spoil = func(f map[string]entry) { delete(f, "prod.db-wal") }
		}},
		{"a file more", "x was not there", func(v *volumesAPI) {
			v.spoil = func(f map[string]entry) { f["x"] = f["prod.db"] }
		}},
		{"an owner", "uploads is another one (type 5, mode 2750, owner 10001:20, link \"\"; type 5, mode 2750, owner 0:20", func(v *volumesAPI) {
			v.spoil = func(f map[string]entry) { e := f["uploads"]; e.Uid = 0; f["uploads"] = e }
		}},
		{"the folder's owner", ". is another one", func(v *volumesAPI) {
			v.spoil = func(f map[string]entry) { e := f[""]; e.Uid = 0; f[""] = e }
		}},
		{"a mode", "prod.db is another one", func(v *volumesAPI) {
			v.spoil = func(f map[string]entry) { e := f["prod.db"]; e.Mode = 0o400; f["prod.db"] = e }
		}},
		{"no room", "write the volume: no space left", func(v *volumesAPI) { v.wrote = errors.New("no space left") }},
		{"one with something in it", "the volume new has something in it: theirs", func(v *volumesAPI) {
			v.content["new"]["theirs"] = v.content["old"]["prod.db"]
		}},
		{"no container", "a container with the volume old: no answer", func(v *volumesAPI) { v.failure = errors.New("no answer") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &volumesAPI{content: map[string]map[string]entry{"old": fullVolume(), "new": aVolume(0)}}
			test.change(api)
			if _, err := (&Engine{api: api}).CopyVolume(t.Context(), "tarot-prod", "tarot-backend:1", "old", "new"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
			if test.name != "no container" && !slices.Contains(api.done, "remove helper /to") {
				t.Errorf("the container is left: %q", api.done)
			}
		})
	}
}

func TestWritersAreStoppedAndStarted(t *testing.T) {
	mounting := func(name, id string, rw bool, labels map[string]string) container.Summary {
		return container.Summary{ID: id, Names: []string{"/" + name}, Labels: labels, Mounts: []container.MountPoint{{Name: "data", RW: rw}, {Name: "other", RW: true}}}
	}
	of := func(more ...string) map[string]string {
		labels := map[string]string{StackLabel: "tarot-prod"}
		for i := 0; i < len(more); i += 2 {
			labels[more[i]] = more[i+1]
		}
		return labels
	}
	two := uint64(2)
	service := swarm.Service{ID: "s"}
	service.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &two}
	none := uint64(0)
	scaled := swarm.Service{ID: "s"}
	scaled.Version.Index = 1
	scaled.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &none}
	api := &fakeAPI{containers: []container.Summary{
		mounting("tarot-prod-backend-1", "b1", true, of()), mounting("tarot-prod-nginx-1", "n", false, of()), mounting("tarot-prod-migrate", "m", true, of(AttemptLabel, "0")),
		mounting("tarot-prod-worker.1.x", "t1", true, of(swarmService, "tarot-prod-worker")), mounting("tarot-prod-worker.2.y", "t2", true, of(swarmService, "tarot-prod-worker")),
		mounting("shell", "o", true, nil),
	}, service: []moment{{service: service}, {service: service}, {service: scaled}}}
	e := &Engine{api: api}
	all, err := e.Writers(t.Context(), "data")
	// The question for the service is asked once for each of its tasks.
	want := []Writer{{"shell", "o", 0, "", false}, {"tarot-prod-backend-1", "b1", 0, "tarot-prod", false}, {"tarot-prod-migrate", "m", 0, "tarot-prod", true}, {"tarot-prod-worker", "", 2, "tarot-prod", false}}
	if err != nil || !slices.Equal(all, want) {
		t.Fatalf("%+v, %v", all, err)
	}
	ending, ended := []swarm.Task{{Status: swarm.TaskStatus{State: swarm.TaskStateRunning}}}, []swarm.Task{{Status: swarm.TaskStatus{State: swarm.TaskStateShutdown}}}
	api.service = []moment{{service: service}, {scaled, ending}, {scaled, ending}, {scaled, ending}, {scaled, ended}}
	mine := []Writer{want[1], want[3]}
	for _, w := range mine { // one after the other: the fake is no engine for several at once
		if err := e.Halt(t.Context(), []Writer{w}); err != nil {
			t.Fatal(err)
		}
	}
	if len(api.service) != 1 {
		t.Error("a task of the service writes on")
	}
	done := slices.Sorted(slices.Values(api.done))
	if want := []string{"restart policy of b1: no", "scale s to 0", "stop b1"}; !slices.Equal(done, want) {
		t.Errorf("%q, want %q", done, want)
	}
	api.done, api.service = nil, []moment{{service: scaled}, {service: func() swarm.Service { s := service; s.Version.Index = 2; return s }()}}
	for _, w := range mine {
		if err := e.Resume(t.Context(), []Writer{w}); err != nil {
			t.Fatal(err)
		}
	}
	done = slices.Sorted(slices.Values(api.done))
	if want := []string{"restart policy of b1: always", "scale s to 2", "start b1"}; !slices.Equal(done, want) {
		t.Errorf("%q, want %q", done, want)
	}
	if _, err := (&Engine{api: &fakeAPI{failure: errors.New("no answer")}}).Writers(t.Context(), "data"); err == nil {
		t.Error("what can't be asked is nobody")
	}
	if err := (&Engine{api: &fakeAPI{}}).CreateVolume(t.Context(), "new", "local", nil); err != nil {
		t.Error(err)
	}
	gone := &fakeAPI{volumes: []*volume.Volume{{Name: "new"}}}
	if err := (&Engine{api: gone}).RemoveVolume(t.Context(), "new"); err != nil || len(gone.volumes) > 0 {
		t.Errorf("%v, %v", gone.volumes, err)
	}
}
