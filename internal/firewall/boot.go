package firewall

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Script installs the rules on a machine that has just started, before the engine opens its ports: what is in
// DOCKER-USER already, Docker leaves there. It can run again.
func (w Wish) Script(all []Found) string {
	lines := []string{"#!/bin/sh", "# Who may ask " + w.Stack + ": nginx.allowFrom. Written by `make firewall`, removed by `make firewall-remove`.", "set -e"}
	for _, found := range all {
		rules := w.Rules(found.Family)
		if len(rules) == 0 {
			continue
		}
		if found.User {
			lines = append(lines, fmt.Sprintf("%s -w -N %s 2>/dev/null || :", found.Command, user))
		}
		lines = append(lines, found.Command+"-restore -w --noflush <<'EOF'", "*filter", ":"+w.Chain()+" - [0:0]")
		lines = append(lines, rules...)
		lines = append(lines, "COMMIT", "EOF")
		for _, parent := range found.parents() {
			jump := strings.TrimPrefix(w.jump(parent), "-A "+parent+" ")
			lines = append(lines, fmt.Sprintf("%[1]s -w -C %[2]s %[3]s 2>/dev/null || %[1]s -w -I %[2]s 1 %[3]s", found.Command, parent, jump))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// Unit runs it before the engine, and after whatever else fills or flushes the tables.
func (w Wish) Unit() string {
	return fmt.Sprintf(`[Unit]
Description=Who may ask %s (nginx.allowFrom)
After=ufw.service firewalld.service nftables.service netfilter-persistent.service
Before=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh %s

[Install]
WantedBy=multi-user.target
`, w.Stack, w.scriptFile())
}

func (w Wish) scriptFile() string { return "/etc/tarot-firewall/" + w.Stack + ".sh" }

func (w Wish) unitName() string { return "tarot-firewall-" + w.Stack + ".service" }

func (w Wish) unitFile() string { return "/etc/systemd/system/" + w.unitName() }

// Systemd is true on a machine that was started by it.
func Systemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// Keep has the rules come back with the machine.
func (h Host) Keep(ctx context.Context, w Wish) error {
	all, err := h.Read(ctx, w)
	if err != nil {
		return err
	}
	for file, text := range map[string]string{w.scriptFile(): w.Script(all), w.unitFile(): w.Unit()} {
		if _, err := h.Run(ctx, text, "install", "-D", "-m", "0644", "/dev/stdin", file); err != nil {
			return err
		}
	}
	if _, err := h.Run(ctx, "", "systemctl", "daemon-reload"); err != nil {
		return err
	}
	_, err = h.Run(ctx, "", "systemctl", "enable", w.unitName())
	return err
}

// Forget has them not come back.
func (h Host) Forget(ctx context.Context, w Wish) error {
	if _, err := os.Stat(w.unitFile()); os.IsNotExist(err) {
		return nil
	}
	if _, err := h.Run(ctx, "", "systemctl", "disable", w.unitName()); err != nil {
		return err
	}
	_, err := h.Run(ctx, "", "rm", "-f", w.unitFile(), w.scriptFile())
	return err
}
