package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestWhoMayComeIsReadOffTheStacksFile(t *testing.T) {
	t.Chdir(t.TempDir())
	d := deployed{name: "prod", prefix: "tarot-prod"}
	if _, err := d.wish(); err == nil || !strings.Contains(err.Error(), "Pulumi.prod.yaml") {
		t.Errorf("without a file: %v", err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile("Pulumi.prod.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("encryptionsalt: v1:x\nconfig:\n  tarot:adminPassword:\n    secure: v1:y\n  tarot:nginx:\n    httpPort: 8081\n    allowFrom:\n      - 10.20.0.0/16\n      - 2001:db8:1::/48\n")
	w, err := d.wish()
	if err != nil || !slices.Equal(w.Ports, []int{8081, 443}) || joined(w.From) != "10.20.0.0/16, 2001:db8:1::/48" {
		t.Errorf("%+v, %v", w, err)
	}
	write("config:\n  tarot:nginx:\n    allowFrom: [10.20.0.1/16]\n")
	if _, err := d.wish(); err == nil {
		t.Error("a host's address is taken for a network")
	}
	write("config:\n  tarot:nginx:\n    allowForm: [10.20.0.0/16]\n")
	if _, err := d.wish(); err == nil || !strings.Contains(err.Error(), "allowForm") {
		t.Errorf("a key that there is not: %v", err)
	}
	write("config:\n  tarot:project: x\n")
	if w, err := d.wish(); err != nil || len(w.From) > 0 {
		t.Errorf("%+v, %v", w, err)
	}
}
