package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatCanBeRotatedFollowsFromTheParts(t *testing.T) {
	for name, test := range map[string]struct {
		config map[string]setting
		want   []string // a key, and = where it is the user's own, or - where it stays
	}{
		"nothing said": {nil, []string{"jwtSecretKey", "adminPassword", "edgeToken", "tlsSeed"}},
		"Grafana": {map[string]setting{"tarot:monitoring": {Value: `{"enabled":true}`}, "tarot:adminPassword": {}, "other:key": {Value: "x"}},
			[]string{"jwtSecretKey", "adminPassword=", "edgeToken", "tlsSeed", "grafanaPassword"}},
		"no Grafana": {map[string]setting{"tarot:monitoring": {Value: `{"enabled":true,"grafana":{"enabled":false}}`}, "tarot:databaseUrl": {}},
			[]string{"jwtSecretKey", "adminPassword", "edgeToken", "tlsSeed", "databaseUrl="}},
		"backups, and the user's own": {map[string]setting{"tarot:backup": {Value: `{"enabled":true}`}, "tarot:backend": {Value: `{"context":".","secrets":["API_KEY"]}`}, "tarot:API_KEY": {},
			"tarot:nginx": {Value: `{"tls":{"mode":"given","certificate":"","key":""}}`}, "tarot:tlsKey": {}, "tarot:tlsCertificate": {}},
			[]string{"jwtSecretKey", "adminPassword", "API_KEY=", "backupKey-", "edgeToken", "tlsCertificate=", "tlsKey="}},
	} {
		known, err := rotations(test.config, "tarot-test")
		var got []string
		for _, r := range known {
			got = append(got, r.key+map[bool]string{true: "="}[r.own]+map[bool]string{true: "-"}[r.stays != ""])
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, test.want)
		}
	}
}

func TestARotationSaysWhatItRestarts(t *testing.T) {
	known, err := rotations(map[string]setting{"tarot:cache": {Value: `{"enabled":true}`}, "tarot:monitoring": {Value: `{"enabled":true}`}, "tarot:adminPassword": {}, "tarot:backup": {Value: `{"enabled":true}`}}, "tarot-test")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"jwtSecretKey":        "restarts backend",
		"cachePassword":       "restarts backend, backup-rehearsal, valkey-exporter; runs again: publish-state, valkey-users",
		"cacheServerPassword": "restarts valkey; runs again: valkey-users",
		"edgeToken":           "restarts nothing; runs again: nginx-configuration",
		"grafanaPassword":     "restarts grafana",
	} {
		if r, err := rotationOf(known, key); err != nil || !strings.HasPrefix(r.restarts, want) {
			t.Errorf("%s: %q, %v, want %q", key, r.restarts, err, want)
		}
	}
	for key, want := range map[string]string{
		"adminPassword": "pulumi config set --secret tarot:adminPassword",
		"backupKey":     "backupKey is not rotated: it opens the backups that there are",
		"another":       `SECRET is "another"; allowed: cachePassword, cacheServerPassword, jwtSecretKey, `,
	} {
		if _, err := rotationOf(known, key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", key, err, want)
		}
	}
	var text strings.Builder
	if err := writeRotations(&text, known); err != nil || !strings.Contains(text.String(), "make rotate SECRET=jwtSecretKey") || !strings.Contains(text.String(), "not rotated: it opens") {
		t.Errorf("%v\n%s", err, text.String())
	}
}
