package engine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// lookAt runs the script over what a kernel could say.
func lookAt(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if text == "" { // a folder
			if err := os.MkdirAll(name, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var errs bytes.Buffer
	cmd := exec.Command("sh", "-c", placeScript, "look", "", root)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	return string(out)
}

func mountLine(device, of string) string {
	return "5 4 " + device + " /data /look/v ro - ext4 " + of + " rw\n"
}

// LUKS is seen through what lies on it: a logical volume, a partition of it. This kernel needs no dm-crypt for that.
func TestWhatAVolumeLiesOn(t *testing.T) {
	const sys = "sys/dev/block/"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a plain disk": {map[string]string{"look/v": "", "proc/self/mountinfo": mountLine("8:1", "/dev/sda1"), sys + "8:1/partition": "1", sys + "dev": "8:0"}, ""},
		"LUKS":         {map[string]string{"look/v": "", "proc/self/mountinfo": mountLine("253:0", "/dev/mapper/secure"), sys + "253:0/dm/uuid": "CRYPT-LUKS2-abc-secure\n"}, "encrypted by dm-crypt"},
		"LVM on LUKS": {map[string]string{"look/v": "", "proc/self/mountinfo": mountLine("253:1", "/dev/mapper/vg-data"), sys + "253:1/dm/uuid": "LVM-abc\n",
			sys + "253:1/slaves/dm-0/dev": "253:0\n", sys + "253:0/dm/uuid": "CRYPT-LUKS2-abc\n"}, "encrypted by dm-crypt"},
		"LVM on LUKS and on a plain disk": {map[string]string{"look/v": "", "proc/self/mountinfo": mountLine("253:1", "/dev/mapper/vg-data"), sys + "253:1/dm/uuid": "LVM-abc\n",
			sys + "253:1/slaves/dm-0/dev": "253:0\n", sys + "253:1/slaves/sdb/dev": "8:16\n", sys + "253:0/dm/uuid": "CRYPT-LUKS2-abc\n"}, ""},
		"plain LVM": {map[string]string{"look/v": "", "proc/self/mountinfo": mountLine("253:1", "/dev/mapper/vg-data"), sys + "253:1/dm/uuid": "LVM-abc\n", sys + "253:1/slaves/sdb/dev": "8:16\n"}, ""},
		"gocryptfs": {map[string]string{"look/v": "", "proc/self/mountinfo": "5 4 0:44 /data /look/v ro - fuse.gocryptfs /srv/cipher rw,allow_other\n"}, "encrypted by gocryptfs"},
		"sshfs":     {map[string]string{"look/v": "", "proc/self/mountinfo": "5 4 0:44 /data /look/v ro - fuse.sshfs me@there: rw\n"}, ""},
	} {
		places, err := readPlaces(lookAt(t, test.files))
		if err != nil || places["v"].Encrypted != test.want {
			t.Errorf("%s: %q, %v, want %q", name, places["v"].Encrypted, err, test.want)
		}
	}
}

func TestAPlaceSaysWhoMayLookIntoIt(t *testing.T) {
	for said, want := range map[string][2]bool{ // private, on a network
		"ext4 /dev/sda rw":                         {false, false},
		"fuse.gocryptfs /c rw,allow_other":         {false, false},
		"fuse.gocryptfs /c rw,user_id=0":           {true, false},
		"fuse.sshfs me@there: rw,allow_other":      {false, true},
		"nfs4 there:/x rw":                         {false, true},
		"btrfs /dev/sda rw,space_cache,subvolid=5": {false, false},
	} {
		places, err := readPlaces("v no 5 4 0:1 / /look/v ro - " + said)
		if p := places["v"]; err != nil || p.Private() != want[0] || p.OnNetwork() != want[1] {
			t.Errorf("%s: private %v, on a network %v, %v", said, p.Private(), p.OnNetwork(), err)
		}
	}
	if _, err := readPlaces("Killed\n"); err == nil {
		t.Error("nothing is a place")
	}
}

func TestAMountIsLookedAtFromInside(t *testing.T) {
	a := &onceAPI{fakeAPI: &fakeAPI{}, states: []container.State{{Status: container.StateExited}},
		out: "mount no 5 4 0:44 / /look/mount ro - fuse.gocryptfs /c rw,allow_other\nmounted yes\nbeneath tarot_db_data\n"}
	found, err := (&Engine{api: a}).LookAt(t.Context(), "p-s", "nginx:1", "/srv/secure")
	if err != nil || !found.There || !found.Mounted || !slices.Equal(found.Beneath, []string{"tarot_db_data"}) || found.Encrypted == "" {
		t.Errorf("%+v, %v", found, err)
	}
	if above := a.host.Mounts[1]; above.Source != "/srv" || above.Type != mount.TypeBind || !above.ReadOnly || !above.BindOptions.NonRecursive {
		t.Errorf("%+v", above)
	}
	if a.host.NetworkMode != "none" || !a.host.Mounts[0].ReadOnly {
		t.Errorf("%+v", a.host)
	}
	missing := &failing{onceAPI: a, err: errors.New("invalid mount config for type \"bind\": bind source path does not exist: /srv/secure")}
	if found, err := (&Engine{api: missing}).LookAt(t.Context(), "p-s", "nginx:1", "/srv/secure"); err != nil || found.There || found.Mounted {
		t.Errorf("a folder that is not there: %+v, %v", found, err)
	}
	missing.err = errors.New("no answer")
	if _, err := (&Engine{api: missing}).LookAt(t.Context(), "p-s", "nginx:1", "/srv/secure"); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("not to be told is nothing: %v", err)
	}
}

// failing makes no container.
type failing struct {
	*onceAPI
	err error
}

func (f *failing) ContainerCreate(context.Context, *container.Config, *container.HostConfig, *network.NetworkingConfig, *ocispec.Platform, string) (container.CreateResponse, error) {
	return container.CreateResponse{}, f.err
}
