package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// connections is how many clients ask at once; each has one connection, kept alive.
const connections = 32

// load measures figures 6 and 7: a replica through nginx, and the same one directly.
func (b *bench) load(ctx context.Context, r *report) error {
	dir, err := b.checkout(ctx, "load", "test/", "toolchain/")
	if err != nil {
		return err
	}
	s, err := b.newStack(ctx, dir, "Pulumi.prod.yaml", map[string]any{
		// Containers have addresses that this machine reaches; those of a Swarm's
		// overlay networks it doesn't.
		"runtime": "containers", "backend.replicas": 1, "volumes.static": "", "volumes.logs": "",
	})
	if err != nil {
		return err
	}
	if _, err := s.up(ctx); err != nil {
		return err
	}
	services, err := s.services(ctx)
	if err != nil {
		return err
	}
	backend, err := address(ctx, services["backend"].Names[0], "-backend")
	if err != nil {
		return err
	}
	nginx, err := address(ctx, services["nginx"].Names[0], "-edge")
	if err != nil {
		return err
	}
	direct, through := "http://"+backend+":8000", "https://"+nginx+":8443"
	if !reachable(backend+":8000") || !reachable(nginx+":8443") {
		return errors.New("containers' addresses can not be reached from here (an engine in a virtual machine?)")
	}
	how := "One replica with prod's limits (1 core, 4 workers) and nginx with its own (half a core), as containers; the requests come from this machine, " +
		"and go to the containers' addresses, over HTTP to the replica and over HTTPS (HTTP/1.1) to nginx. The generator shares the cores with both. "
	for _, api := range []struct{ name, path string }{
		{"one card", "/api/v1/cards/the-fool"},
		{"all cards", "/api/v1/cards"},
	} {
		size, err := same(ctx, direct+api.path, through+api.path)
		if err != nil {
			return err
		}
		rate, err := b.maximum(ctx, []string{direct + api.path}, []string{through + api.path})
		if err != nil {
			return err
		}
		open := max(1, int(rate.peer.median()/2))
		latency, err := b.latency(ctx, open, direct+api.path, through+api.path)
		if err != nil {
			return err
		}
		rate.number, rate.name, rate.goal = "6", "rate through nginx / directly, "+api.name, atLeast(0.9)
		latency.number, latency.name, latency.goal = "6", "p99 through nginx / directly, "+api.name, atMost(1.2)
		rate.how = how + fmt.Sprintf("`%s`, %d bytes: the rate with %d connections that each ask again as soon as they are answered (closed loop).", api.path, size, connections)
		how = ""
		latency.how = fmt.Sprintf("`%s` at a constant %d requests a second, half of the replica's maximum, sent whether or not earlier ones are answered (open loop).", api.path, open)
		r.add(rate)
		r.add(latency)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "app/static/cards/*.svg"))
	if err != nil || len(paths) == 0 {
		return errors.Join(err, errors.New("app/static/cards has no pictures"))
	}
	var fromApp, fromNginx []string
	var bytes int64
	for _, path := range paths {
		file := "/static/cards/" + filepath.Base(path)
		fromApp, fromNginx = append(fromApp, direct+file), append(fromNginx, through+file)
		if info, err := os.Stat(path); err == nil {
			bytes += info.Size()
		}
	}
	if _, err := same(ctx, fromApp[0], fromNginx[0]); err != nil {
		return err
	}
	static, err := b.maximum(ctx, fromApp, fromNginx)
	if err != nil {
		return err
	}
	static.number, static.name, static.goal = "7", "static files through nginx / from the application", atLeast(10)
	static.how = fmt.Sprintf("The %d pictures of the cards in turn, %d bytes on average, at the highest rate, as in figure 6; nginx serves them from the volume.", len(paths), bytes/int64(len(paths)))
	r.add(static)
	return s.destroy(ctx)
}

// same makes sure that both ways lead to the same answer; it returns its size.
func same(ctx context.Context, urls ...string) (int, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // self-signed
	}}
	var first []byte
	for i, url := range urls {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		response, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return 0, err
		}
		if response.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s answers %s", url, response.Status)
		}
		if i == 0 {
			first = body
		} else if !bytes.Equal(first, body) {
			return 0, fmt.Errorf("%s and %s differ", urls[0], url)
		}
	}
	return len(first), nil
}

// maximum is the rate that a fixed number of connections gets, closed loop.
func (b *bench) maximum(ctx context.Context, direct, through []string) (figure, error) {
	f := figure{unit: perSecond}
	closed := vegeta.ConstantPacer{}
	for round := range b.rounds + 1 {
		for _, side := range []struct {
			urls []string
			to   *samples
		}{{direct, &f.peer}, {through, &f.ours}} {
			if round == 0 { // warms up
				if _, err := b.attack(ctx, closed, b.shorter(2*time.Second), connections, side.urls...); err != nil {
					return f, err
				}
				continue
			}
			m, err := b.attack(ctx, closed, b.shorter(6*time.Second), connections, side.urls...)
			if err != nil {
				return f, err
			}
			*side.to = append(*side.to, m.Throughput)
		}
	}
	say("      %s: %s / %s", strings.SplitN(through[0], "/", 4)[3], f.ours.String(perSecond), f.peer.String(perSecond))
	return f, nil
}

// latency is the 99th percentile at a fixed rate, open loop.
func (b *bench) latency(ctx context.Context, rate int, direct, through string) (figure, error) {
	f := figure{unit: milliseconds}
	for range b.rounds {
		for _, side := range []struct {
			url string
			to  *samples
		}{{direct, &f.peer}, {through, &f.ours}} {
			m, err := b.attack(ctx, vegeta.ConstantPacer{Freq: rate, Per: time.Second}, b.shorter(10*time.Second), 256, side.url)
			if err != nil {
				return f, err
			}
			*side.to = append(*side.to, float64(m.Latencies.P99)/float64(time.Millisecond))
		}
	}
	say("      p99 at %d/s: %s / %s", rate, f.ours.String(milliseconds), f.peer.String(milliseconds))
	return f, nil
}

// attack asks for the addresses in turn, with at most so many requests at once.
func (b *bench) attack(ctx context.Context, pace vegeta.Pacer, during time.Duration, workers uint64, urls ...string) (*vegeta.Metrics, error) {
	header := http.Header{"Accept-Encoding": {encoding()}}
	targets := make([]vegeta.Target, 0, len(urls))
	for _, url := range urls {
		targets = append(targets, vegeta.Target{Method: http.MethodGet, URL: url, Header: header})
	}
	attacker := vegeta.NewAttacker(vegeta.Workers(min(workers, connections)), vegeta.MaxWorkers(workers), vegeta.Connections(int(workers)),
		vegeta.KeepAlive(true), vegeta.HTTP2(false), vegeta.MaxBody(0), vegeta.Timeout(10*time.Second),
		vegeta.TLSConfig(&tls.Config{InsecureSkipVerify: true})) //nolint:gosec // self-signed
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	m := &vegeta.Metrics{}
	for result := range attacker.Attack(vegeta.NewStaticTargeter(targets...), pace, during, "") {
		m.Add(result)
	}
	m.Close()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A rate of errors is no figure.
	if m.Success < 1 {
		return nil, fmt.Errorf("%s: %.2f %% of %d requests were not answered with 2xx: %s", urls[0], 100*(1-m.Success), m.Requests, strings.Join(m.Errors, "; "))
	}
	return m, nil
}

// encoding is what is asked for. The application does not compress: identity is
// the same work for both.
func encoding() string {
	if e := os.Getenv("BENCH_ENCODING"); e != "" {
		return e
	}
	return "identity"
}
