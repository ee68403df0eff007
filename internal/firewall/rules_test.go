package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/system"

	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

func wished(t *testing.T, change func(*config.Nginx)) Wish {
	t.Helper()
	cfg := config.Defaults()
	cfg.Nginx.AllowFrom = []string{"10.20.0.0/16", "2001:db8:1::/48"}
	if change != nil {
		change(&cfg.Nginx)
	}
	w, err := Of("tarot-prod", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRules(t *testing.T) {
	for name, change := range map[string]func(*config.Nginx){
		"both":     nil,
		"four":     func(n *config.Nginx) { n.AllowFrom = []string{"10.20.0.0/16"} },
		"everyone": func(n *config.Nginx) { n.AllowFrom = []string{"0.0.0.0/0"} },
		"plain":    func(n *config.Nginx) { n.TLS.Mode = "off"; n.HTTPPort = 8081 },
		"address":  func(n *config.Nginx) { n.Address = "192.0.2.7" },
		"six":      func(n *config.Nginx) { n.Address = "2001:db8::7" },
		"all":      func(n *config.Nginx) { n.Address = "0.0.0.0" },
		"edge":     func(n *config.Nginx) { n.Edge = "front" },
		"off":      func(n *config.Nginx) { n.Enabled = false },
		"nobody":   func(n *config.Nginx) { n.AllowFrom = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := wished(t, change)
			var text strings.Builder
			for _, found := range []Found{{Family: V4, User: true}, {Family: V6, User: true}, {Family: V6}} {
				text.WriteString("# " + found.Command)
				if !found.User {
					text.WriteString(", the engine has no rules of it")
				}
				text.WriteString("\n" + w.Change(found))
			}
			golden.Check(t, "testdata/"+name+".rules", text.String())
		})
	}
}

// docker is what Debian's engine has by itself, and somebody else's rule.
const docker = `-P INPUT ACCEPT
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A INPUT -i lo -j ACCEPT
-A DOCKER-USER -s 192.0.2.66/32 -j DROP
-A DOCKER-USER -j RETURN
`

// quoted is how `iptables -S` tells of comments.
func quoted(text string) string {
	return strings.ReplaceAll(text, "tarot:tarot-prod", `"tarot:tarot-prod"`)
}

func TestWhatIsThereIsHeldAgainstWhatIsWanted(t *testing.T) {
	w := wished(t, nil)
	rules := strings.Join(w.Rules(V4), "\n") + "\n"
	jumps := w.jump(user) + "\n" + w.jump(input) + "\n"
	for _, c := range []struct{ name, told, fault string }{
		{"as wanted", jumps + docker + rules, ""},
		{"nothing", docker, "none of the rules"},
		{"a rule is gone", jumps + docker + strings.Replace(rules, "443", "444", 1), "other rules"},
		{"a rule more", jumps + docker + rules + "-A " + w.Chain() + " -j RETURN\n", "other rules"},
		{"not led to from DOCKER-USER", w.jump(input) + "\n" + docker + rules, "nothing leads from DOCKER-USER"},
		{"not led to from INPUT", w.jump(user) + "\n" + docker + rules, "nothing leads from INPUT"},
		{"behind a RETURN", docker + jumps + rules, "nothing leads from DOCKER-USER"},
		{"behind an ACCEPT", "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\n" + docker + jumps + rules, "nothing leads from INPUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := w.read(V4, quoted(c.told))
			if !found.User {
				t.Error("DOCKER-USER is not seen")
			}
			faults := strings.Join(w.Faults(found), "; ")
			if (faults == "") != (c.fault == "") || !strings.Contains(faults, c.fault) {
				t.Errorf("%q, want %q", faults, c.fault)
			}
			change := w.Change(found)
			if (change == "") != (c.fault == "") {
				t.Errorf("to do:\n%s", change)
			}
			if strings.Contains(change, "192.0.2.66") || strings.Contains(change, "-F") {
				t.Errorf("touches others' rules:\n%s", change)
			}
			if n := strings.Count(change, "-D "); n != len(found.Jumps) && change != "" {
				t.Errorf("takes away %d of %d that lead there", n, len(found.Jumps))
			}
		})
	}
}

func TestAnEmptyListTakesTheRulesAway(t *testing.T) {
	w := wished(t, nil)
	found := w.read(V4, quoted(w.jump(user)+"\n"+w.jump(input)+"\n"+docker+strings.Join(w.Rules(V4), "\n")))
	nobody := wished(t, func(n *config.Nginx) { n.AllowFrom = nil })
	golden.Check(t, "testdata/removal.rules", nobody.Change(found))
	if len(nobody.Faults(found)) != 1 {
		t.Error("what is left over is not told")
	}
	if other := (Wish{Stack: "tarot-dev"}); !other.read(V4, quoted(w.jump(user)+"\n"+strings.Join(w.Rules(V4), "\n"))).Empty() {
		t.Error("another stack's rules are taken for its own")
	}
}

func TestAScriptForTheNextStart(t *testing.T) {
	w := wished(t, nil)
	golden.Check(t, "testdata/boot.sh", w.Script([]Found{{Family: V4, User: true}, {Family: V6}}))
	golden.Check(t, "testdata/boot.service", w.Unit())
}

func TestEnginesThatAreRefused(t *testing.T) {
	for want, info := range map[string]system.Info{
		"":             {FirewallBackend: &system.FirewallInfo{Driver: "iptables"}},
		"daemon.json":  {FirewallBackend: &system.FirewallInfo{Driver: "nftables"}},
		"rootless":     {SecurityOptions: []string{"name=seccomp,profile=builtin", "name=rootless"}},
		"Desktop":      {OperatingSystem: "Docker Desktop"},
		"another host": {},
	} {
		if got := Refusal(want != "another host", "tcp://another host:2376", info); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAChainsNameFits(t *testing.T) {
	long := Wish{Stack: strings.Repeat("a", 200), From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if n := len(long.Chain()); n > 28 || long.Chain() == (Wish{Stack: "a"}).Chain() {
		t.Error(n, long.Chain())
	}
}
