package newstack

import (
	"net/netip"
	"testing"
)

func TestTheNextFreeNetworkIsOfTheSameSize(t *testing.T) {
	for from, want := range map[string][]string{
		"10.213.0.0/24":    {"10.213.0.0/24", "10.213.1.0/24", "10.213.2.0/24"},
		"10.0.255.0/24":    {"10.0.255.0/24", "10.1.0.0/24"},
		"192.168.0.16/28":  {"192.168.0.16/28", "192.168.0.32/28"},
		"fdd5:213::/64":    {"fdd5:213::/64", "fdd5:213:0:1::/64"},
		"fd00:0:ffff::/48": {"fd00:0:ffff::/48", "fd00:1::/48"},
	} {
		taken := &Taken{}
		for _, one := range want {
			if got, err := taken.freeSubnet(netip.MustParsePrefix(from)); err != nil || got.String() != one {
				t.Errorf("from %s: %v, %v, want %s", from, got, err, one)
			}
		}
	}
	if got, err := (&Taken{subnets: []netip.Prefix{netip.MustParsePrefix("fd00::/8")}}).freeSubnet(netip.MustParsePrefix("fdff:ffff:ffff::/48")); err == nil {
		t.Errorf("one that is not private: %s", got)
	}
}
