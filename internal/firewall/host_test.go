package firewall

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// faked is a machine whose iptables says this of itself.
func faked(told string, fault error) (Host, *[]string) {
	var got []string
	return Host{Run: func(_ context.Context, in, name string, _ ...string) (string, error) {
		if name == "iptables" {
			return told, fault
		}
		got = append(got, name+"\n"+in)
		return "", nil
	}}, &got
}

func TestApplyIsOneTransaction(t *testing.T) {
	w := wished(t, nil)
	host, got := faked(docker, nil)
	changed, err := host.Apply(t.Context(), w)
	if err != nil || len(changed) != 1 || len(*got) != 1 || strings.Count((*got)[0], "COMMIT") != 1 || !strings.HasPrefix((*got)[0], "iptables-restore\n*filter\n") {
		t.Errorf("%v, %v: %q", changed, err, *got)
	}
	host, got = faked(quoted(w.jump(user)+"\n"+w.jump(input)+"\n"+docker+strings.Join(w.Rules(V4), "\n")), nil)
	if changed, err = host.Apply(t.Context(), w); err != nil || len(changed)+len(*got) != 0 {
		t.Errorf("a second time: %v, %v: %q", changed, err, *got)
	}
}

func TestWhatCantBeSeenIsNotNothing(t *testing.T) {
	w := wished(t, nil)
	host, got := faked("-P INPUT ACCEPT\n", nil)
	if _, err := host.Apply(t.Context(), w); !errors.Is(err, errNoChain) || len(*got) > 0 {
		t.Errorf("without DOCKER-USER: %v", err)
	}
	if faults, err := host.Faults(t.Context(), w); err != nil || !strings.Contains(strings.Join(faults, ";"), "no chain DOCKER-USER") {
		t.Error(faults, err)
	}
	denied := errors.New("Permission denied (you must be root)")
	host, got = faked("", denied)
	if _, err := host.Apply(t.Context(), w); !errors.Is(err, denied) || len(*got) > 0 {
		t.Error(err)
	}
	if _, err := host.Remove(t.Context(), w); !errors.Is(err, denied) {
		t.Error(err)
	}
	if _, err := host.Faults(t.Context(), w); !errors.Is(err, denied) {
		t.Error(err)
	}
}
