package main

import (
	"context"
	"fmt"
	"time"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// maintained is asked who has the maintenance page shown.
type maintained interface {
	Maintained(ctx context.Context, prefix string) (engine.Held, bool, error)
}

// keepMaintenance leaves the maintenance page where somebody has it shown (`stack maintenance on`),
// whatever the stack's file says, and says so: an update is no reason to let users in.
func keepMaintenance(ctx context.Context, docker maintained, cfg *config.Config, stack, prefix string, warn func(string)) error {
	held, shown, err := docker.Maintained(ctx, prefix)
	if err != nil || !shown || cfg.Maintenance {
		return err
	}
	cfg.Maintenance = true
	warn(fmt.Sprintf("users get the maintenance page, since %s by %s, and this leaves it so: stack maintenance off -s %s",
		held.Since.UTC().Format(time.RFC3339), held.Who, stack))
	return nil
}
