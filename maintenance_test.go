package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

type shownBy struct {
	held  engine.Held
	shown bool
	err   error
}

func (s shownBy) Maintained(context.Context, string) (engine.Held, bool, error) {
	return s.held, s.shown, s.err
}

// An `up` leaves the page where somebody has it shown, and says who.
func TestAnUpdateLeavesTheMaintenancePage(t *testing.T) {
	since := time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		by         shownBy
		file, want bool
		says       string
	}{
		{shownBy{}, false, false, ""},
		{shownBy{}, true, true, ""},
		{shownBy{held: engine.Held{Who: "ada@shop", Since: since}, shown: true}, false, true, "since 2026-11-27T20:00:00Z by ada@shop, and this leaves it so: stack maintenance off -s prod"},
	} {
		cfg, said := config.Config{Maintenance: test.file}, ""
		if err := keepMaintenance(t.Context(), test.by, &cfg, "prod", "tarot-prod", func(text string) { said += text }); err != nil {
			t.Fatal(err)
		}
		if cfg.Maintenance != test.want || !strings.Contains(said, test.says) || test.says == "" && said != "" {
			t.Errorf("%+v: %v, %q", test, cfg.Maintenance, said)
		}
	}
	cfg := config.Config{}
	if err := keepMaintenance(t.Context(), shownBy{err: errors.New("no answer")}, &cfg, "prod", "tarot-prod", nil); err == nil {
		t.Error("an engine that does not answer is none that has it shown")
	}
}
