// Command acme gets the site's certificate from a CA by ACME, and renews it, in a container of its
// own. It answers the CAs' questions by HTTP, to which nginx sends them, or by DNS; and writes
// the certificate into the volume that nginx reads. It is alone in its image, and a module of its
// own: what it is made of is nobody else's.
//
//	acme serve FILE           for ever, as the settings in the file say
//	acme health               whether it serves
//	acme renew                a new certificate now, whatever the old one's age
//	acme own FOLDER UID:GID   gives a new volume away
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	legolog "github.com/go-acme/lego/v5/log"
	_ "golang.org/x/crypto/x509roots/fallback" // whom browsers trust: the image has nothing
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "acme:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("want one of serve, health, renew, own")
	}
	switch command, rest := args[0], args[1:]; {
	case command == "serve" && len(rest) == 1:
		return serve(rest[0])
	case command == "health" && len(rest) == 0:
		return ask(http.MethodGet, "/health")
	case command == "renew" && len(rest) == 0:
		return ask(http.MethodPost, "/renew")
	case command == "own" && len(rest) == 2:
		return own(rest[0], rest[1])
	}
	return fmt.Errorf("unknown, or wrong arguments: %s", strings.Join(args, " "))
}

func serve(file string) error {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	// What the library does, step by step, is for whoever looks for a fault.
	legolog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn})))
	settings, err := readSettings(file)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m, err := newManager(settings, log)
	if err != nil {
		return err
	}
	ended := make(chan error, 3)
	for address, handler := range map[string]http.Handler{challengeAddress: m.solver, metricsAddress: m.metrics(), controlAddress: m.control()} {
		server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		go func() { ended <- server.ListenAndServe() }()
		defer func() { _ = server.Close() }()
	}
	go func() {
		if settings.Challenge == byHTTP {
			awaitName(ctx, net.DefaultResolver.LookupHost, nameTime)
		}
		m.run(ctx)
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

const (
	// ownName is what nginx knows this container by, and nameTime how long it may take to be known: Swarm tells of a task once
	// its health check has passed.
	ownName  = "acme"
	nameTime = 45 * time.Second
)

// awaitName returns when nginx finds this container by its name, or the time is over: what a CA asked before that would be a
// failure, of which it allows few.
func awaitName(ctx context.Context, lookup func(context.Context, string) ([]string, error), within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		if found, err := lookup(ctx, ownName); err == nil && len(found) > 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ask asks the one that serves in this container.
func ask(method, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+controlAddress+path, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", strings.TrimSpace(string(text)))
	}
	fmt.Print(string(text))
	return nil
}

// own gives a folder away, which an engine makes as root's. What is in it has its owner by then.
func own(folder, to string) error {
	uid, gid, _ := strings.Cut(to, ":")
	user, err := strconv.Atoi(uid)
	if err != nil {
		return fmt.Errorf("%q is no UID:GID", to)
	}
	group, err := strconv.Atoi(gid)
	if err != nil {
		return fmt.Errorf("%q is no UID:GID", to)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if of := info.Sys().(*syscall.Stat_t); int(of.Uid) == user && int(of.Gid) == group {
		return nil
	}
	if err := os.Chmod(folder, 0o750); err != nil { //nolint:gosec // nginx's group reads it
		return err
	}
	return os.Chown(folder, user, group)
}
