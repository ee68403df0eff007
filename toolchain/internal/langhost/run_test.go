package langhost

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestEnvironment(t *testing.T) {
	got, err := environment("127.0.0.1:1", &pulumirpc.RunRequest{
		Project: "tarot", Stack: "dev", Organization: "organization", MonitorAddress: "127.0.0.1:2", DryRun: true, Parallel: 4,
		Config: map[string]string{"tarot:a": "1"}, ConfigSecretKeys: []string{"tarot:b"},
		Info: &pulumirpc.ProgramInfo{RootDirectory: "/src"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"PULUMI_ORGANIZATION=organization", "PULUMI_PROJECT=tarot", "PULUMI_STACK=dev", "PULUMI_ROOT_DIRECTORY=/src",
		`PULUMI_CONFIG={"tarot:a":"1"}`, `PULUMI_CONFIG_SECRET_KEYS=["tarot:b"]`, "PULUMI_DRY_RUN=true",
		"PULUMI_PARALLEL=4", "PULUMI_MONITOR=127.0.0.1:2", "PULUMI_ENGINE=127.0.0.1:1",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestResponse(t *testing.T) {
	cases := map[string]struct {
		script string
		bail   bool
		err    string
	}{
		"success":   {"exit 0", false, ""},
		"reported":  {"exit 32", true, ""},
		"failed":    {"exit 7", false, "exited with code 7"},
		"killed":    {"kill -KILL $$", false, "ran out of memory"},
		"signalled": {"kill -ABRT $$", false, "aborted"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := response(exec.Command("sh", "-c", c.script).Run())
			if got.GetBail() != c.bail || !strings.Contains(got.GetError(), c.err) || c.err == "" && got.GetError() != "" {
				t.Errorf("got %v", got)
			}
		})
	}
	if got := response(exec.Command("/no/such/program").Run()); !strings.Contains(got.GetError(), "starting the program") {
		t.Errorf("got %v", got)
	}
}

// A program that ends when it is interrupted, but not by itself.
const sleeper = `package main

import "time"

func main() { time.Sleep(time.Hour) }
`

func TestRunEndsWithTheEngineAndWithTheHost(t *testing.T) {
	t.Setenv("TAROT_CACHE", t.TempDir())
	p := source(t, sleeper)
	req := &pulumirpc.RunRequest{
		Pwd: p.dir, Info: &pulumirpc.ProgramInfo{RootDirectory: p.dir, ProgramDirectory: p.dir, EntryPoint: "."},
	}
	ends := map[string]func(h *Host, cancelCall, endHost context.CancelFunc){
		"call cancelled":  func(_ *Host, cancelCall, _ context.CancelFunc) { cancelCall() },
		"engine cancels":  func(h *Host, _, _ context.CancelFunc) { h.Cancel(t.Context(), nil) },
		"host is stopped": func(_ *Host, _, endHost context.CancelFunc) { endHost() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			life, endHost := context.WithCancel(t.Context())
			defer endHost()
			call, cancelCall := context.WithCancel(t.Context())
			defer cancelCall()
			host := New(life, "")

			result := make(chan error, 1)
			go func() {
				_, err := host.Run(call, req)
				result <- err
			}()
			time.Sleep(time.Second) // perhaps it is being built still; that has to end, too
			end(host, cancelCall, endHost)
			select {
			case err := <-result:
				if status.Code(err) != codes.Canceled {
					t.Errorf("got %v", err)
				}
			case <-time.After(grace + 5*time.Second):
				t.Fatal("the program goes on")
			}
		})
	}
}
