package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/system"
)

// Host is the machine that the engine runs on.
type Host struct {
	// Run is a command of root's, with what it reads, and what it says.
	Run func(ctx context.Context, in, name string, args ...string) (string, error)
	// Six is false for a machine without IPv6.
	Six bool
}

// Here is this machine. ask is false where nobody is to be asked for a password.
func Here(ask bool) Host {
	addresses, err := os.ReadFile("/proc/net/if_inet6")
	return Host{Six: err == nil && len(addresses) > 0, Run: func(ctx context.Context, in, name string, args ...string) (string, error) {
		words := append([]string{name}, args...)
		if os.Geteuid() != 0 {
			if _, err := exec.LookPath("sudo"); err != nil {
				return "", errors.New("it takes root, and there is no sudo")
			}
			sudo := []string{"sudo"}
			if !ask {
				sudo = append(sudo, "-n")
			}
			words = append(sudo, words...)
		}
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		var said bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(in), &said
		if os.Geteuid() == 0 { // sbin may not be on the path of who is root by su
			cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
		}
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(said.String()))
		}
		return string(out), nil
	}}
}

// Refusal is why an engine's ports can't be guarded from here; empty: they can.
func Refusal(local bool, address string, info system.Info) string {
	backend := ""
	if info.FirewallBackend != nil {
		backend = info.FirewallBackend.Driver
	}
	switch {
	case !local:
		return fmt.Sprintf("the engine is at %s: its machine's rules can be seen and set there alone", address)
	case runtime.GOOS != "linux" || strings.Contains(info.OperatingSystem, "Docker Desktop"):
		return "the engine runs in a virtual machine of Docker Desktop's, whose ports are this machine's own programs: its firewall is the one to set"
	case slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return strings.HasPrefix(o, "name=rootless") }):
		return "the engine is rootless: its ports are opened by a program of the user's, which the host's own firewall (ufw, firewalld) covers"
	case backend == "nftables":
		return `the engine keeps its rules in nftables (firewall-backend), where there is no DOCKER-USER; allowed: "firewall-backend": "iptables" in its daemon.json`
	}
	return ""
}

// errNoChain is an engine that has no say, or says it elsewhere.
var errNoChain = errors.New("iptables has no chain DOCKER-USER: the engine runs with \"iptables\": false, or it keeps its rules with the other iptables " +
	"(nft or legacy: update-alternatives --display iptables), or it does not run")

// Families are those that the machine has.
func (h Host) Families() []Family {
	if h.Six {
		return []Family{V4, V6}
	}
	return []Family{V4}
}

// Read finds the stack's rules, of each family.
func (h Host) Read(ctx context.Context, w Wish) ([]Found, error) {
	var all []Found
	for _, f := range h.Families() {
		told, err := h.Run(ctx, "", f.Command, "-w", "-S")
		if err != nil {
			return nil, err
		}
		all = append(all, w.read(f, told))
	}
	return all, nil
}

// Faults are what is not as it is wanted, of all families.
func (h Host) Faults(ctx context.Context, w Wish) ([]string, error) {
	all, err := h.Read(ctx, w)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, found := range all {
		faults = append(faults, w.Faults(found)...)
	}
	if !all[0].User && len(w.From) > 0 {
		faults = append(faults, errNoChain.Error())
	}
	return faults, nil
}

// Apply has the machine have what is wanted, and says what it changed, of each family in one transaction.
func (h Host) Apply(ctx context.Context, w Wish) ([]string, error) {
	all, err := h.Read(ctx, w)
	if err != nil {
		return nil, err
	}
	if !all[0].User && len(w.From) > 0 {
		return nil, errNoChain
	}
	return h.restore(ctx, all, w.Change)
}

// Remove takes away what is the stack's, whatever is wanted.
func (h Host) Remove(ctx context.Context, w Wish) ([]string, error) {
	all, err := h.Read(ctx, w)
	if err != nil {
		return nil, err
	}
	return h.restore(ctx, all, w.Removal)
}

func (h Host) restore(ctx context.Context, all []Found, text func(Found) string) (changed []string, err error) {
	for _, found := range all {
		change := text(found)
		if change == "" {
			continue
		}
		if _, err := h.Run(ctx, change, found.Command+"-restore", "-w", "--noflush"); err != nil {
			return changed, err
		}
		changed = append(changed, found.Command)
	}
	return changed, nil
}
