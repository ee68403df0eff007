package newstack

import (
	"fmt"
	"net/netip"
	"strconv"

	"tarot-platform/internal/config"
)

// Taken is what others have: other stacks by their files, and whatever the engine and its
// machine tell. What is found free is taken from then on.
type Taken struct {
	ports   map[int]bool
	subnets []netip.Prefix
	volumes map[string]bool
	// Busy is true for a port that something else has; nil: nobody knows.
	Busy func(port int) bool
}

// Port, Subnet and Volume are one that somebody has.
func (t *Taken) Port(number int) {
	if t.ports == nil {
		t.ports = map[int]bool{}
	}
	t.ports[number] = true
}

func (t *Taken) Subnet(p netip.Prefix) { t.subnets = append(t.subnets, p.Masked()) }

func (t *Taken) Volume(name string) {
	if t.volumes == nil {
		t.volumes = map[string]bool{}
	}
	t.volumes[name] = true
}

// Stack is what a stack has, whether or not it is up, and whether or not it uses it now.
func (t *Taken) Stack(cfg config.Config) {
	for _, v := range Ports(cfg) {
		if number, _ := strconv.Atoi(v.Text); number != 0 {
			t.Port(number)
		}
	}
	for _, v := range append(Subnets(cfg), Value{"networks.sitesSubnet", cfg.Networks.SitesSubnet}) {
		if p, err := netip.ParsePrefix(v.Text); err == nil {
			t.Subnet(p)
		}
	}
	for _, name := range []string{cfg.Volumes.Data, cfg.Volumes.Uploads, cfg.Volumes.Static, cfg.Volumes.Logs} {
		t.Volume(name)
	}
	for _, further := range cfg.Backend.FurtherVolumes() {
		t.Volume(further.Engine)
	}
}

// freePort is the next one after another stack's, that any process may have.
func (t *Taken) freePort(from int) (int, error) {
	if from < 1024 { // 80 becomes 8080, and 443 8443
		from += 8000
	}
	for port := from; port <= 65535; port++ {
		if !t.ports[port] && (t.Busy == nil || !t.Busy(port)) {
			t.Port(port)
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port from %d on is free", from)
}

// freeSubnet is the next one of the same size.
func (t *Taken) freeSubnet(from netip.Prefix) (netip.Prefix, error) {
	for next := from.Masked(); ; next = following(next) {
		if !next.Addr().IsPrivate() {
			return next, fmt.Errorf("no private network after %s is free", from)
		}
		if !t.overlaps(next) {
			t.Subnet(next)
			return next, nil
		}
	}
}

// following is the network of the same size after it.
func following(p netip.Prefix) netip.Prefix {
	address := p.Addr().AsSlice()
	last := p.Bits() - 1 // the last bit of the network's own part
	carry := uint16(0x80 >> (last % 8))
	for i := last / 8; i >= 0 && carry > 0; i-- {
		sum := uint16(address[i]) + carry
		address[i], carry = byte(sum), sum>>8
	}
	next, _ := netip.AddrFromSlice(address) // of a length that it had
	return netip.PrefixFrom(next, p.Bits())
}

func (t *Taken) overlaps(p netip.Prefix) bool {
	for _, other := range t.subnets {
		if other.Overlaps(p) {
			return true
		}
	}
	return false
}

// freeVolume is the name, or one with a number after it.
func (t *Taken) freeVolume(name string) string {
	for i, free := 2, name; ; i++ {
		if !t.volumes[free] {
			t.Volume(free)
			return free
		}
		free = name + strconv.Itoa(i)
	}
}
