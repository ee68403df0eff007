package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/components/nginx"
	"tarot-platform/internal/config"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
)

// pageTime is how long users may take to see what was switched.
const pageTime = 10 * time.Second

func maintenanceCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "maintenance [on|off]",
		Short: "show users the maintenance page, or let them in again, in seconds",
		Long: "No `up` is run, and nothing restarts. It is kept on the engine: nginx shows the page also when it starts again; an `up` from\n" +
			"whatever checkout leaves it where it is, and says so; and so do a restore and a move of the database. `off` also sets\n" +
			"tarot:maintenance in the stack's file to false, where that was true. Without a word it says what users get.\n" +
			"The monitoring hears of it with the next `up`: until then it tells that the site is down.\n" +
			"Exit code 0: done; 1: it was not done; 2: it can't be told.",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"on", "off"},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := theStack(cmd.Context())
			if err != nil {
				return err
			}
			s := pageSwitch{docker: d.docker, name: d.name, prefix: d.prefix, out: console.Stderr(), now: time.Now,
				file: func() (config.Config, error) { return fileConfiguration(d.name) }, set: d.set, address: d.healthAddress}
			if len(args) == 0 {
				return s.tell(cmd.Context(), os.Stdout, asJSON)
			}
			if err := s.turn(cmd.Context(), args[0] == "on"); err != nil {
				return failed{err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts, without a word")
	return cmd
}

// pageEngine is what is asked of the engine.
type pageEngine interface {
	Maintained(ctx context.Context, prefix string) (engine.Held, bool, error)
	Lock(ctx context.Context, prefix, kind string, mine engine.Held) (engine.Held, error)
	Unlock(ctx context.Context, prefix, kind, run string) error
	Operating(ctx context.Context, prefix string) (engine.Held, bool, error)
	Claimed(ctx context.Context, prefix string) (bool, error)
	Exec(ctx context.Context, prefix, workload string, command ...string) (string, error)
	Signal(ctx context.Context, prefix, workload, signal string) error
	ImageOf(ctx context.Context, prefix, workload string) (string, error)
	RunOnce(ctx context.Context, prefix string, o engine.Once, out io.Writer) error
}

// pageSwitch shows the maintenance page of a stack, or takes it away.
type pageSwitch struct {
	docker       pageEngine
	name, prefix string
	out          console.Console
	now          func() time.Time
	// file is what the stack's file says, set changes it, and address is what users ask for.
	file    func() (config.Config, error)
	set     func(ctx context.Context, path, value string) error
	address func(ctx context.Context) (string, error)
}

// pageRun is what the mark's owner is called: whoever comes second has the same one.
const pageRun = "maintenance"

// turn shows the page, or takes it away. On its way there, the mark comes first, and on its way back
// it goes last: where this is interrupted, the next `up` shows the page.
func (s pageSwitch) turn(ctx context.Context, on bool) error {
	begun := s.now()
	cfg, err := s.may(ctx)
	if err != nil {
		return err
	}
	asked := make(chan func() (int, error), 1) // beside the work: Pulumi takes its time
	go func() { asked <- s.user(ctx) }()
	page := nginx.PageOf(s.prefix)
	if on {
		err = s.show(ctx, page)
	} else {
		err = s.hide(ctx, page, cfg)
	}
	if err != nil {
		return err
	}
	if err := s.seen(ctx, on, <-asked); err != nil {
		return err
	}
	seconds := s.now().Sub(begun).Round(100 * time.Millisecond)
	if on {
		s.out.OK("users of %s get the maintenance page, after %s. They are let in by: stack maintenance off -s %[1]s", s.name, seconds)
	} else {
		s.out.OK("users of %s are let in, after %s", s.name, seconds)
	}
	return nil
}

// may refuses what something else has in hand.
func (s pageSwitch) may(ctx context.Context) (config.Config, error) {
	cfg, err := s.file()
	if err != nil {
		return cfg, err
	}
	if !cfg.Nginx.Enabled {
		return cfg, fmt.Errorf("%s:nginx.enabled is false for %s: it is nginx that has the maintenance page", config.Namespace, s.name)
	}
	held, open, err := s.docker.Operating(ctx, s.prefix)
	if err == nil && open {
		err = held.Unfinished(s.name)
	}
	if err != nil {
		return cfg, err
	}
	claimed, err := s.docker.Claimed(ctx, s.prefix)
	if err == nil && claimed {
		err = fmt.Errorf("an `up` of %s is at work, or was killed: wait for its end. Where it is dead, `docker volume rm %s-claim` says so", s.name, s.prefix)
	}
	return cfg, err
}

func (s pageSwitch) show(ctx context.Context, page nginx.Page) error {
	mine := engine.Held{Run: pageRun, Who: engine.Who(), Since: s.now()}
	held, err := s.docker.Lock(ctx, s.prefix, engine.MaintenanceLock, mine)
	if err != nil {
		return err
	}
	if age := s.now().Sub(held.Since); age > 2*time.Second {
		s.out.Note("it is shown since %s, by %s: it is seen to that nginx knows", held.Since.UTC().Format(time.RFC3339), held.Who)
	}
	if _, err := s.docker.Exec(ctx, s.prefix, nginx.Name, page.Show...); err != nil {
		return err
	}
	return s.edit(ctx, page, page.Keep)
}

func (s pageSwitch) hide(ctx context.Context, page nginx.Page, cfg config.Config) error {
	if cfg.Maintenance {
		if err := s.set(ctx, nginx.MaintenanceKey, "false"); err != nil {
			return err
		}
		s.out.Note("%s is false in %s from now on", nginx.MaintenanceKey, fileOf(s.name))
	}
	if err := s.edit(ctx, page, page.Forget); err != nil {
		return err
	}
	if _, err := s.docker.Exec(ctx, s.prefix, nginx.Name, page.Hide...); err != nil {
		return err
	}
	// What it runs may be of an `up` that has left the page where it was.
	if err := s.docker.Signal(ctx, s.prefix, nginx.Name, "SIGHUP"); err != nil {
		return err
	}
	return s.docker.Unlock(ctx, s.prefix, engine.MaintenanceLock, pageRun)
}

// edit runs a command that may write where nginx has its configuration.
func (s pageSwitch) edit(ctx context.Context, page nginx.Page, command []string) error {
	image, err := s.docker.ImageOf(ctx, s.prefix, nginx.Name)
	if err != nil {
		return err
	}
	return readable(s.docker.RunOnce(ctx, s.prefix, engine.Once{Name: "maintenance-page", Image: image, User: "0:0", Command: command, Memory: 32 << 20, Again: true,
		Mounts: []engine.OnceMount{{Source: page.Volume, Target: page.Folder}}}, io.Discard))
}

// user returns what asks as a user does; an error of it is that nobody knows how.
func (s pageSwitch) user(ctx context.Context) func() (int, error) {
	address, err := s.address(ctx)
	client := &http.Client{Timeout: 3 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // it asks for the state, not for trust
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func() (int, error) {
		if err != nil {
			return 0, err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return 0, err
		}
		answer, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
}

// seen waits until users see it. Where nobody can ask as they do, that is said, and nginx is asked
// itself.
func (s pageSwitch) seen(ctx context.Context, on bool, user func() (int, error)) error {
	deadline := s.now().Add(pageTime)
	for {
		code, err := user()
		if err == nil && (code == http.StatusServiceUnavailable) == on {
			return nil
		}
		if s.now().After(deadline) || err != nil && code == 0 && ctx.Err() != nil {
			closed, unknown := s.closed(ctx)
			switch {
			case err == nil && !on && unknown == nil && !closed:
				s.out.Warn("the page is gone, and the site answers %d by itself: `stack status` says why", code)
				return nil
			case err != nil && unknown == nil && closed == on:
				s.out.Warn("nginx does it, and whether users see it could not be asked: %v", err)
				return nil
			case err != nil:
				return fmt.Errorf("whether users see it could not be asked: %w", err)
			}
			return fmt.Errorf("users still get %d", code)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// closed asks nginx.
func (s pageSwitch) closed(ctx context.Context) (bool, error) {
	said, err := s.docker.Exec(ctx, s.prefix, nginx.Name, nginx.PageOf(s.prefix).Shown...)
	return strings.TrimSpace(said) == "closed", err
}

// shownPage is what is told of the page.
type shownPage struct {
	Shown bool       `json:"shown"`
	By    string     `json:"by,omitempty"`
	Since *time.Time `json:"since,omitempty"`
}

func (s pageSwitch) tell(ctx context.Context, to io.Writer, asJSON bool) error {
	closed, err := s.closed(ctx)
	if err != nil {
		return err
	}
	told := shownPage{Shown: closed}
	held, marked, err := s.docker.Maintained(ctx, s.prefix)
	if err != nil {
		return err
	}
	if marked {
		told.By, told.Since = held.Who, &held.Since
	}
	switch {
	case asJSON:
		return printJSON(told)
	case marked:
		fmt.Fprintf(to, "users of %s get the maintenance page, since %s by %s\n", s.name, held.Since.UTC().Format(time.RFC3339), held.Who)
	case closed:
		fmt.Fprintf(to, "users of %s get the maintenance page: %s is true, or something has it shown for its time\n", s.name, nginx.MaintenanceKey)
	default:
		fmt.Fprintf(to, "users of %s are let in\n", s.name)
	}
	return nil
}

// healthAddress is what users ask for that is always there.
func (d deployed) healthAddress(ctx context.Context) (string, error) {
	out, err := d.outputs(ctx)
	return out.HealthURL, err
}

// keepMaintenance has what is done with the stack leave the page where somebody has it shown.
func (d deployed) keepMaintenance(ctx context.Context, cfg *config.Config) error {
	_, shown, err := d.docker.Maintained(ctx, d.prefix)
	cfg.Maintenance = cfg.Maintenance || shown
	return err
}
