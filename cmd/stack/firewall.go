package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"tarot-platform/internal/audit"
	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/firewall"
)

func firewallCommand() *cobra.Command {
	var list, remove, dryRun, check bool
	cmd := &cobra.Command{
		Use:   "firewall STACK",
		Short: "this machine refuses whoever nginx.allowFrom does not name",
		Long: "Docker publishes past ufw and firewalld. The rules are in chains of the stack's own, to which DOCKER-USER and INPUT lead:\n" +
			"others' rules stay as they are. It can be run again; an empty list removes them. It takes root (sudo is used).\n" +
			"In a swarm, run it on each node that an nginx runs on.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			switch {
			case check:
				d.checkFirewall(cmd.Context())
				return nil
			case list:
				return d.listFirewall(cmd.Context())
			case remove:
				return d.removeFirewall(cmd.Context())
			}
			return d.applyFirewall(cmd.Context(), dryRun)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "print the rules that this machine has of the stack's")
	cmd.Flags().BoolVar(&remove, "remove", false, "take them away")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what iptables-restore and ip6tables-restore would get")
	cmd.Flags().BoolVar(&check, "check", false, "say so where they are wanted and not there")
	cmd.MarkFlagsMutuallyExclusive("list", "remove", "dry-run", "check")
	return cmd
}

// wish is what the stack's file says of who may ask. It is read without Pulumi, as it has no secrets, and
// asking for them would take the passphrase.
func (d deployed) wish() (firewall.Wish, error) {
	file := "Pulumi." + d.name + ".yaml"
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return firewall.Wish{Stack: d.prefix}, fmt.Errorf("there is no %s: which stack is meant?", file)
	}
	if err != nil {
		return firewall.Wish{Stack: d.prefix}, err
	}
	var document struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return firewall.Wish{Stack: d.prefix}, fmt.Errorf("%s: %w", file, err)
	}
	raw := map[string]string{}
	if nginx, has := document.Config[config.Namespace+":nginx"]; has {
		object, err := json.Marshal(nginx)
		if err != nil {
			return firewall.Wish{Stack: d.prefix}, fmt.Errorf("%s: %w", file, err)
		}
		raw[config.Namespace+":nginx"] = string(object)
	}
	cfg, err := config.Decode(raw)
	if err != nil {
		return firewall.Wish{Stack: d.prefix}, err
	}
	return firewall.Of(d.prefix, cfg)
}

func (d deployed) refusal() string {
	return firewall.Refusal(d.docker.Local(), d.docker.Address, d.docker.Info)
}

func (d deployed) applyFirewall(ctx context.Context, dryRun bool) error {
	w, err := d.wish()
	if err != nil {
		return err
	}
	if why := d.refusal(); why != "" {
		return console.Failure{What: "nginx.allowFrom can't be enforced here", More: []string{why}}
	}
	host, out := firewall.Here(true), console.Stderr()
	if dryRun {
		all, err := host.Read(ctx, w)
		if err != nil {
			return err
		}
		for _, found := range all {
			fmt.Printf("# %s-restore --noflush\n%s", found.Command, w.Change(found))
		}
		return nil
	}
	changed, err := host.Apply(ctx, w)
	if err != nil {
		return console.Failure{What: "the rules are not as nginx.allowFrom wants them", More: []string{err.Error()}}
	}
	if len(w.From) == 0 {
		out.OK("everybody may ask: nginx.allowFrom is empty%s", after(changed, "; the rules that were there are gone"))
		return host.Forget(ctx, w)
	}
	out.OK("ports %s are for %s, and for this machine itself%s", joined(w.Ports), joined(w.From), after(changed, ""))
	if len(changed) == 0 {
		out.Note("the rules were there")
	}
	if !firewall.Systemd() {
		out.Warn("there is no systemd here: after a reboot, run make firewall STACK=%s again", d.name)
		return nil
	}
	if err := host.Keep(ctx, w); err != nil {
		return console.Failure{What: "the rules hold, and will not come back after a reboot", More: []string{err.Error()}}
	}
	out.OK("they come back with the machine, before the engine does")
	return nil
}

func after(changed []string, text string) string {
	if len(changed) == 0 {
		return ""
	}
	return text
}

func joined[T any](list []T) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(list)), ", "), "[]")
}

func (d deployed) listFirewall(ctx context.Context) error {
	if why := d.refusal(); why != "" {
		return errors.New(why)
	}
	all, err := firewall.Here(true).Read(ctx, firewall.Wish{Stack: d.prefix})
	if err != nil {
		return err
	}
	none := true
	for _, found := range all {
		for _, rule := range append(found.Jumps, found.Rules...) {
			fmt.Println(found.Command, rule)
			none = false
		}
	}
	if none {
		console.Stderr().Note("this machine has none of %s", d.prefix)
	}
	return nil
}

func (d deployed) removeFirewall(ctx context.Context) error {
	if why := d.refusal(); why != "" {
		return errors.New(why)
	}
	host, w := firewall.Here(true), firewall.Wish{Stack: d.prefix}
	changed, err := host.Remove(ctx, w)
	if err != nil {
		return err
	}
	if err := host.Forget(ctx, w); err != nil {
		return err
	}
	console.Stderr().OK("this machine has no rules of %s%s", d.prefix, after(changed, " any more: Docker lets everybody to its ports"))
	return nil
}

// checkFirewall says after an `up` what it did not do: the rules are the host's.
func (d deployed) checkFirewall(ctx context.Context) {
	problem, note := d.unguarded(ctx)
	if text := problem + note; text != "" {
		console.Stderr().Warn("%s", text)
	}
}

// tellLeftRules says after the stack's end what is the host's, and would go on to keep people from whatever has its ports next.
func (d deployed) tellLeftRules(ctx context.Context) {
	if d.refusal() != "" {
		return
	}
	w, _ := d.wish()
	all, err := firewall.Here(false).Read(ctx, w)
	if err != nil && len(w.From) > 0 || slices.ContainsFunc(all, func(f firewall.Found) bool { return !f.Empty() }) {
		console.Stderr().Warn("the rules of nginx.allowFrom stay on this machine: make firewall-remove STACK=%s", d.name)
	}
}

// unguarded is the difference between what nginx.allowFrom wants and what this machine has, or why that can't be told.
func (d deployed) unguarded(ctx context.Context) (problem, note string) {
	w, err := d.wish()
	if err != nil {
		return err.Error(), ""
	}
	if len(w.From) == 0 {
		return "", ""
	}
	if why := d.refusal(); why != "" {
		return "", "nginx.allowFrom can't be looked after from here: " + why
	}
	faults, err := firewall.Here(false).Faults(ctx, w)
	switch {
	case err != nil:
		return "", fmt.Sprintf("whether nginx.allowFrom is enforced can't be told: %v. make firewall STACK=%s sees to it", err, d.name)
	case len(faults) > 0:
		return fmt.Sprintf("nginx.allowFrom is not enforced: %s: make firewall STACK=%s", strings.Join(faults, "; "), d.name), ""
	}
	return "", ""
}

// hostAudit is what the machine's rules mean for the ports that its nginx publishes.
func (d deployed) hostAudit(ctx context.Context, subjects []audit.Subject) []audit.Finding {
	ports := audit.EdgePorts(subjects)
	if len(ports) == 0 {
		return nil
	}
	w, err := d.wish()
	if err != nil {
		return []audit.Finding{audit.OfHost(audit.Unknown, err.Error(), "")}
	}
	why := d.refusal()
	host := firewall.Here(false)
	var faults []string
	if why == "" {
		if faults, err = host.Faults(ctx, w); err != nil {
			why = err.Error()
		}
	}
	for _, port := range ports {
		if len(w.From) > 0 && !w.Covers(port) {
			faults = append(faults, fmt.Sprintf("port %d is published, and not the stack file's", port))
		}
	}
	switch {
	case len(faults) > 0:
		return []audit.Finding{audit.OfHost(audit.Fail, fmt.Sprintf("%s: make firewall STACK=%s", strings.Join(faults, "; "), d.name), "")}
	case len(w.From) == 0:
		return []audit.Finding{audit.OfHost(audit.Exception, "", fmt.Sprintf("everybody may ask: nginx.allowFrom is empty. Ports %s: %s", joined(ports), hostFirewall(ctx)))}
	case why != "":
		return []audit.Finding{audit.OfHost(audit.Unknown, "the rules of nginx.allowFrom can't be seen: "+why, "")}
	}
	return []audit.Finding{audit.OfHost(audit.Pass, "", "")}
}

// hostFirewall is what an administrator may believe to be covering the ports.
func hostFirewall(ctx context.Context) string {
	if text, err := os.ReadFile("/etc/ufw/ufw.conf"); err == nil && strings.Contains(string(text), "ENABLED=yes") {
		return "ufw is on, and Docker publishes past it"
	}
	if exec.CommandContext(ctx, "systemctl", "is-active", "--quiet", "firewalld").Run() == nil {
		return "firewalld is on, and Docker publishes past it"
	}
	return "neither ufw nor firewalld is seen on this machine"
}
