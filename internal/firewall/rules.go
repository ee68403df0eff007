// Package firewall has the host let nobody to the ports of a stack's edge but whom `nginx.allowFrom`
// names. Docker publishes past ufw and firewalld, and leaves the chain DOCKER-USER to whoever wants a word before it.
// What is wanted is a pure function of the configuration; a Host reads, installs and removes it.
package firewall

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tarot-platform/internal/config"
)

// Wish is who may ask for which ports of this machine.
type Wish struct {
	// Stack is PROJECT-STACK, which the comment of each rule names.
	Stack string
	// Address that the ports are bound to; the zero one: all.
	Address netip.Addr
	Ports   []int
	// From are who may ask; none: everybody, and there are no rules.
	From []netip.Prefix
}

// Of is what a stack's configuration wants.
func Of(stack string, cfg config.Config) (Wish, error) {
	w := Wish{Stack: stack}
	n := cfg.Nginx
	if !n.Enabled || n.Edge != "" || len(n.AllowFrom) == 0 {
		return w, nil
	}
	for _, network := range n.AllowFrom {
		prefix, err := config.Network(network)
		if err != nil {
			return w, fmt.Errorf("tarot:nginx.allowFrom: %w", err)
		}
		w.From = append(w.From, prefix)
	}
	if n.Address != "" {
		var err error
		if w.Address, err = netip.ParseAddr(n.Address); err != nil {
			return w, fmt.Errorf("tarot:nginx.address: %w", err)
		}
	}
	w.Ports = []int{n.HTTPPort}
	if n.TLS.Mode != "off" {
		w.Ports = append(w.Ports, n.HTTPSPort)
	}
	return w, nil
}

// Family is one of the two that a machine has rules for, each with a program of its own.
type Family struct {
	Command string
	six     bool
}

// The families.
var (
	V4 = Family{"iptables", false}
	V6 = Family{"ip6tables", true}
)

// The chains that lead to a stack's own. What Docker sends on to a container goes through DOCKER-USER; what Docker's proxy
// takes, through INPUT: all IPv6 where the engine has no rules for it, or the container no such address.
const (
	user  = "DOCKER-USER"
	input = "INPUT"
)

// Chain is the stack's own. A name may have 28 characters.
func (w Wish) Chain() string { return fmt.Sprintf("TAROT-%x", sha256.Sum256([]byte(w.Stack)))[:18] }

func (w Wish) comment() string { return "-m comment --comment tarot:" + w.Stack }

// Rules are the chain's, as `iptables -S` tells them. They only ever refuse: who may ask goes on to whatever else the
// host has. A connection that is there already stays: what is refused is its first packet. The kernel may know nothing of
// it, as it follows IPv6 only from the first rule on that asks for that.
func (w Wish) Rules(f Family) []string {
	if len(w.From) == 0 || w.Address.IsValid() && w.Address.Is4() == f.six {
		return nil
	}
	rule := func(match, target string) string {
		return strings.Join([]string{"-A", w.Chain(), match, w.comment(), "-j", target}, " ")
	}
	rules := []string{
		rule("-m conntrack --ctstate RELATED,ESTABLISHED", "RETURN"),
		rule("-i lo", "RETURN"),
	}
	for _, from := range w.From {
		if from.Addr().Is4() == f.six {
			continue
		}
		if from.Bits() == 0 {
			rules = append(rules, rule("", "RETURN")) // everybody of this family
			continue
		}
		rules = append(rules, rule("-s "+from.String(), "RETURN"))
	}
	at := ""
	if w.Address.IsValid() && !w.Address.IsUnspecified() {
		at = fmt.Sprintf("--ctorigdst %s ", w.Address)
	}
	for _, port := range w.Ports { // the one that was asked for: behind DNAT the packet has the container's
		rules = append(rules, rule(fmt.Sprintf("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack %s--ctorigdstport %d --ctdir ORIGINAL", at, port), "DROP"))
	}
	for i := range rules {
		rules[i] = strings.ReplaceAll(rules[i], "  ", " ")
	}
	return rules
}

// jump leads from a parent to the chain. From DOCKER-USER only what was asked of this machine: a container's
// own call to somebody else's port 443 comes by there, too.
func (w Wish) jump(parent string) string {
	match := "-p tcp"
	if parent == user {
		match += " -m conntrack --ctstate DNAT"
	}
	return strings.Join([]string{"-A", parent, match, w.comment(), "-j", w.Chain()}, " ")
}

// Found is what a machine has, of one family.
type Found struct {
	Family
	// User is true where the engine has DOCKER-USER in it.
	User bool
	// Rules are the chain's, Jumps those that lead to it, as they were told.
	Rules, Jumps []string
	// passed are jumps that nothing arrives at.
	passed []string
}

// Empty is true where nothing is of the stack.
func (f Found) Empty() bool { return len(f.Rules)+len(f.Jumps) == 0 }

// parents of the chain on this machine.
func (f Found) parents() []string {
	if f.User {
		return []string{user, input}
	}
	return []string{input}
}

// Faults are what is not as it is wanted.
func (w Wish) Faults(f Found) []string {
	rules := w.Rules(f.Family)
	if len(rules) == 0 {
		if f.Empty() {
			return nil
		}
		return []string{f.Command + " has rules that nginx.allowFrom does not want any more"}
	}
	if f.Empty() {
		return []string{f.Command + " has none of the rules"}
	}
	var faults []string
	if !slices.Equal(plain(f.Rules), rules) {
		faults = append(faults, f.Command+" has other rules than nginx.allowFrom wants")
	}
	for _, parent := range f.parents() {
		if jump := w.jump(parent); !slices.Contains(plain(f.Jumps), jump) || slices.Contains(plain(f.passed), jump) {
			faults = append(faults, fmt.Sprintf("%s: nothing leads from %s to the rules", f.Command, parent))
		}
	}
	return faults
}

// Change is what iptables-restore --noflush gets: one transaction, in which the chain is filled anew and led to. Others'
// rules are not in it. Empty: there is nothing to do.
func (w Wish) Change(f Found) string {
	rules := w.Rules(f.Family)
	if len(rules) == 0 {
		return w.Removal(f)
	}
	if len(w.Faults(f)) == 0 && len(f.Jumps) == len(f.parents()) {
		return ""
	}
	lines := append([]string{"*filter", ":" + w.Chain() + " - [0:0]"}, rules...)
	for _, jump := range f.Jumps {
		lines = append(lines, "-D"+strings.TrimPrefix(jump, "-A"))
	}
	for _, parent := range f.parents() {
		lines = append(lines, strings.Replace(w.jump(parent), "-A "+parent, "-I "+parent+" 1", 1))
	}
	return strings.Join(append(lines, "COMMIT"), "\n") + "\n"
}

// Removal takes the stack's rules away.
func (w Wish) Removal(f Found) string {
	if f.Empty() {
		return ""
	}
	lines := []string{"*filter", ":" + w.Chain() + " - [0:0]"}
	for _, jump := range f.Jumps {
		lines = append(lines, "-D"+strings.TrimPrefix(jump, "-A"))
	}
	return strings.Join(append(lines, "-X "+w.Chain(), "COMMIT"), "\n") + "\n"
}

// read finds the stack's in what `iptables -S` tells.
func (w Wish) read(f Family, told string) Found {
	found := Found{Family: f}
	open := map[string]bool{} // chains of which nothing arrives at what comes after
	for line := range strings.Lines(told) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		chain, target := words[1], ""
		if i := slices.Index(words, "-j"); i >= 0 && i+1 < len(words) {
			target = words[i+1]
		}
		switch {
		case words[0] == "-N" && chain == user:
			found.User = true
		case words[0] != "-A":
		case chain == w.Chain():
			found.Rules = append(found.Rules, line)
		case target == w.Chain():
			found.Jumps = append(found.Jumps, line)
			if open[chain] {
				found.passed = append(found.passed, line)
			}
		case target == "ACCEPT" && !strings.Contains(line, "ESTABLISHED") && !strings.Contains(line, "-i lo"),
			target == "RETURN" && len(words) == 4:
			open[chain] = true
		}
	}
	return found
}

func plain(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.ReplaceAll(line, `"`, "")
	}
	return out
}

// Covers is true for a port that the rules are about.
func (w Wish) Covers(port int) bool { return slices.Contains(w.Ports, port) }
