// Command scheduler runs one command on a schedule, in the container that it is mounted into:
// with the image, the variables, the files and the user that the command is to have, and
// without the engine's socket. It is a program without dependencies in the image.
//
//	scheduler serve --name report --cron '0 3 * * *' ... -- python report.py
//	scheduler now             run it at once, and end as it ends
//	scheduler health          whether it serves
//	scheduler install FOLDER NAME  put a copy of itself, and a place for what it remembers, there
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"tarot-platform/internal/cron"
)

// busy is the exit code of `now` while the command runs already: EX_TEMPFAIL.
const busy = 75

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scheduler:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("want one of serve, now, health, install")
	}
	switch args[0] {
	case "serve":
		return serve(args[1:])
	case "now":
		code, err := runNow(socket, os.Stdout)
		if err == nil {
			os.Exit(code)
		}
		return err
	case "health":
		return healthy(socket)
	case "install":
		if len(args) != 3 {
			return fmt.Errorf("install wants a folder and a name")
		}
		return install(args[1], args[2])
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// options are what the flags say.
func options(args []string) (Options, error) {
	o := Options{}
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.StringVar(&o.Name, "name", "", "the schedule's name")
	flags.StringVar(&o.State, "state", "", "the folder for what it remembers")
	expression := flags.String("cron", "", "when: a cron expression")
	zone := flags.String("zone", "UTC", "whose times the expression's are")
	flags.DurationVar(&o.Limit, "limit", 10*time.Minute, "how long an attempt may take")
	flags.DurationVar(&o.Grace, "grace", 10*time.Minute, "how long what runs may go on when this is to end")
	flags.IntVar(&o.Retries, "retries", 0, "how many attempts more there are after one that failed")
	flags.DurationVar(&o.Pause, "pause", time.Minute, "the time between two attempts")
	flags.BoolVar(&o.Wait, "wait", false, "what is due while it still runs waits, in place of being left out")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.Command = flags.Args()
	if len(o.Command) == 0 || o.State == "" {
		return o, fmt.Errorf("serve wants --state and a command")
	}
	var err error
	o.Schedule, err = cron.Parse(*expression, *zone)
	return o, err
}

func serve(args []string) error {
	o, err := options(args)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("schedule", o.Name)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	unlock, err := lock(ctx, o, log)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := newScheduler(o, log)
	if err != nil {
		return err
	}
	close, err := s.listen(socket, metricsAddress)
	if err != nil {
		return err
	}
	defer close()
	s.serve(ctx)
	return nil
}
