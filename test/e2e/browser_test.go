//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/device"
	"github.com/chromedp/chromedp/kb"
)

// A visitor's browser. It has a network of its own, from which this machine is another one: where it were on
// this machine's, each container that comes or goes would be a change of its network, at which it gives up requests.
const browserImage = "chromedp/headless-shell:stable"

const browserScript = `#!/bin/sh
exec docker run --interactive --rm --env HOME=/tmp --name %s --network %s --read-only --tmpfs /tmp --shm-size 256m \
  --entrypoint sh %s -c 'exec /headless-shell/headless-shell "$@" 3<&0 4>&1 </dev/null >&2' - "$@" <&3 >&4 2>%s
`

// tab is one of it.
type tab struct {
	t   *testing.T
	ctx context.Context
	// machine is this one's address, as the browser knows it.
	machine string

	mu     sync.Mutex
	asked  []string // the addresses that it has asked for
	faults []string // what its console has told: a script's fault, something that a policy has refused
}

// newBrowser has one that accepts the stack's own certificate, and is a phone.
func newBrowser(t *testing.T) *tab {
	t.Helper()
	n := newNetwork(t)
	name := n.name + "-browser"
	folder := t.TempDir()
	start, says := filepath.Join(folder, "browser"), filepath.Join(folder, "says")
	t.Cleanup(func() {
		_ = exec.Command("docker", "rm", "--force", "--volumes", name).Run()
		if said, err := os.ReadFile(says); t.Failed() {
			t.Logf("the browser says (%v):\n%s", err, said)
		}
	})
	// It is asked through the files 3 and 4, which are the container's input and output: it listens nowhere.
	if err := os.WriteFile(start, fmt.Appendf(nil, browserScript, name, n.name, browserImage, says), 0o755); err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(start), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, machine: n.gateway}
	b.do(chromedp.Emulate(device.IPhone13))
	if err := chromedp.Listen(ctx, func(event any) {
		if e, is := event.(*network.EventRequestWillBeSent); is {
			b.mu.Lock()
			b.asked = append(b.asked, e.Request.URL)
			b.mu.Unlock()
		}
	}); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	if err != nil {
		t.Fatal(err)
	}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			// What a server has refused is in the console, too, and is asked for here.
			if strings.Contains(m.Text, "Failed to load resource") {
				continue
			}
			b.mu.Lock()
			b.faults = append(b.faults, m.Text)
			b.mu.Unlock()
		}
	}()
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	// The first of all starts the browser, which ends with its context.
	if chromedp.FromContext(b.ctx).Target == nil {
		ctx = b.ctx
	}
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// is waits until the expression is true in the page, whichever it is by then.
func (b *tab) is(expression string) {
	b.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		if is {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s is not so (%v):\n%s", expression, err, b.text("body"))
		}
	}
}

// text is what a visitor reads there.
func (b *tab) text(selector string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *tab) location() string {
	b.t.Helper()
	address, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		b.t.Fatal(err)
	}
	return address
}

// tabTo presses Tab until this has the focus, as who has no mouse does.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 30 {
		b.do(chromedp.KeyEvent(kb.Tab))
		there, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf("document.activeElement.matches(%q)", selector)))
		if err != nil {
			b.t.Fatal(err)
		}
		if there {
			return
		}
	}
	b.t.Fatalf("no Tab leads to %s", selector)
}

// answers has requests to draw get something else than their answer, until it is called.
func (b *tab) answers(stage fetch.RequestStage, instead func(ctx context.Context, id fetch.RequestID) error) (end func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	paused := chromedp.Events(ctx, fetch.RequestPaused)
	pattern := fetch.RequestPattern{URLPattern: "*/api/v1/readings", RequestStage: stage}
	if _, err := chromedp.Call(b.ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{&pattern}}); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		for e, err := range paused {
			if err != nil {
				return
			}
			if err := instead(b.ctx, e.RequestID); err != nil && ctx.Err() == nil {
				b.t.Error(err)
			}
		}
	}()
	return func() {
		cancel()
		if _, err := chromedp.Call(b.ctx, fetch.Disable, cdp.Empty{}); err != nil {
			b.t.Error(err)
		}
	}
}

// fits fails where the page is wider than the phone.
func (b *tab) fits() {
	b.t.Helper()
	b.is("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
}

// clean fails where the page has asked somebody else, or its console has told of a fault.
func (b *tab) clean(base string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, address := range b.asked {
		if !strings.HasPrefix(address, base) && !strings.HasPrefix(address, "data:") {
			b.t.Errorf("the page has asked %s", address)
		}
	}
	if len(b.asked) == 0 {
		b.t.Error("the page has asked for nothing: nobody listens")
	}
	for _, fault := range b.faults {
		b.t.Errorf("the console says: %s", fault)
	}
}
