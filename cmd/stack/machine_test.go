package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/backup/results"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

func TestAnEmptyMachineIsOneWhoseDatabaseIsNew(t *testing.T) {
	for name, c := range map[string]struct {
		states []string
		want   string
	}{
		"it is new":                       {[]string{"", results.Waiting, results.Foreign}, ""},
		"it is backed up itself":          {[]string{results.Waiting, results.Replicating}, "no empty machine"},
		"the replicator does not come up": {[]string{""}, "no guard answers here"},
		"the target does not answer":      {[]string{results.Waiting}, "could not be found out"},
	} {
		err := awaitNew(t.Context(), &replicating{states: c.states}, "tarot-prod", 200*time.Millisecond)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretsOfTheUserAreLeftAlone(t *testing.T) {
	kept := map[string]string{"jwtSecretKey": "a", "adminPassword": "b", "grafanaPassword": ""}
	if got := missingSecrets(kept, map[string]string{"adminPassword": "mine"}); !slices.Equal(got, []string{"jwtSecretKey"}) {
		t.Errorf("%q", got)
	}
}

func TestAnEmptyMachineWants(t *testing.T) {
	cfg := config.Defaults()
	for want, change := range map[string]func(){
		"tarot:backup.enabled is false":              func() {},
		"tarot:backupKey is not in Pulumi.prod.yaml": func() { cfg.Backup.Enabled = true },
	} {
		change()
		if err := (deployed{name: "prod", prefix: "tarot-prod"}).machineWants(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		cfg = config.Defaults()
	}
}

func TestWhatAStepHasSaidIsRead(t *testing.T) {
	err := readable(fmt.Errorf("container x: %w", &engine.ExitError{Code: 1, Said: "wrong key"}))
	if errors.As(err, new(*engine.ExitError)) || !strings.Contains(err.Error(), "wrong key") {
		t.Errorf("%v", err)
	}
	if err := readable(errWrong); !errors.Is(err, errWrong) {
		t.Errorf("%v", err)
	}
}
