package engine

import (
	"errors"
	"testing"

	"github.com/docker/docker/api/types/volume"
)

func TestAVolumeOnAnotherMachineIsKnownByItsOptions(t *testing.T) {
	for _, test := range []struct {
		name, driver string
		options      map[string]string
		want         string
	}{
		{"plain", "local", nil, ""},
		{"memory", "local", map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=64m"}, ""},
		{"a folder of the host", "local", map[string]string{"type": "none", "device": "/srv", "o": "bind"}, ""},
		{"a disk", "local", map[string]string{"type": "ext4", "device": "/dev/sdb"}, ""},
		{"NFS", "local", map[string]string{"type": "nfs", "o": "addr=10.0.0.9,rw", "device": ":/srv"}, "type=nfs"},
		{"NFS 4", "local", map[string]string{"type": "nfs4"}, "type=nfs4"},
		{"CIFS", "local", map[string]string{"type": "cifs", "o": "username=x"}, "type=cifs"},
		{"sshfs", "local", map[string]string{"type": "fuse.sshfs"}, "type=fuse.sshfs"},
		{"an address", "local", map[string]string{"o": "rw,addr=10.0.0.9"}, "o=addr=10.0.0.9"},
		{"another driver, which own.sh asks the kernel of", "netshare", map[string]string{"type": "nfs"}, ""},
	} {
		e := &Engine{api: &fakeAPI{volumes: []*volume.Volume{{Name: "data", Driver: test.driver, Options: test.options}}}}
		v, there, err := e.Volume(t.Context(), "data")
		if err != nil || !there || v.OnNetwork() != test.want {
			t.Errorf("%s: %q, want %q; %v %v", test.name, v.OnNetwork(), test.want, there, err)
		}
	}
	e := &Engine{api: &fakeAPI{}}
	if _, there, err := e.Volume(t.Context(), "data"); there || err != nil {
		t.Errorf("one that is not there: %v, %v", there, err)
	}
	e = &Engine{api: &fakeAPI{failure: errors.New("no answer"), volumes: named("data")}}
	if _, _, err := e.Volume(t.Context(), "data"); err == nil {
		t.Error("what can't be asked is not there")
	}
}
