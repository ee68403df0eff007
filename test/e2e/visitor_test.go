//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A visitor draws a reading in a real browser, which is a phone, and by its keyboard alone: through
// nginx, as everybody. What is in the way is said, and costs neither the question nor a second reading.
//
//suite:thorough
func TestAVisitorDrawsAReading(t *testing.T) {
	s := prodStack(t, map[string]any{"runtime": "containers"})
	s.up()
	out := s.outputs()
	tool := s.operator()
	b := newBrowser(t)
	v := phone{b, fmt.Sprintf("https://%s:%d", b.machine, s.https)}
	reading := v.draws()
	v.inChinese(reading)
	v.meetsFaults(func(on string) {
		if said, code := tool("maintenance", on); code != 0 {
			t.Fatalf("maintenance %s: exit code %d\n%s", on, code, said)
		}
	})
	v.clean(v.base)
	api := fmt.Sprint(out["apiUrl"])
	password := map[string]string{"username": "admin", "password": fmt.Sprint(out["adminPassword"])}
	token := ask(t, http.MethodPost, api+"/auth/login", password).want(t, "login", http.StatusOK).json(t)
	answer := get(t, api+"/readings", header("Authorization", fmt.Sprintf("Bearer %v", token["access_token"])))
	var stored []struct{ Question string }
	if err := json.Unmarshal(answer.body, &stored); err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for _, one := range stored {
		counted[one.Question]++
	}
	// What was asked again after a lost answer is stored once.
	if len(stored) != 2 || counted[firstQuestion] != 1 || counted[lostQuestion] != 1 {
		t.Errorf("stored: %v", counted)
	}
}

const (
	firstQuestion = "Will it rain? <b>&"
	lostQuestion  = "Is the answer lost?"
)

// phone is a visitor's.
type phone struct {
	*tab
	base string
}

var readingAddress = regexp.MustCompile(`/readings/[0-9a-f]{32}$`)

// draws is a reading by keyboard: its address.
func (v phone) draws() string {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base + "/"))
	v.fits()
	v.tabTo("#question")
	v.do(chromedp.KeyEvent(firstQuestion))
	v.tabTo("input[name=spread]")
	v.do(chromedp.KeyEvent(kb.ArrowDown)) // from three cards to five
	v.tabTo("form button")
	v.do(chromedp.KeyEvent(kb.Enter))
	v.is("location.pathname.startsWith('/readings/') && document.readyState === 'complete'")
	address := v.location()
	if !readingAddress.MatchString(address) {
		v.t.Errorf("the reading is at %s", address)
	}
	if text := v.text("h1"); text != firstQuestion {
		v.t.Errorf("the reading is headed %q", text)
	}
	v.is("document.querySelectorAll('.spread li').length === 5")
	// Every picture has arrived, and is one.
	v.is("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
	v.fits()
	drawn := v.text(".spread")
	v.do(chromedp.Reload())
	if again := v.text(".spread"); again != drawn || drawn == "" {
		v.t.Errorf("the reading was\n%s\nand is now\n%s", drawn, again)
	}
	// The first page has it, too, and leads there.
	v.do(chromedp.Navigate(v.base + "/"))
	v.do(chromedp.Click(chromedp.CSS("[data-mine] a")))
	v.is(fmt.Sprintf("location.href === %q", address))
	return address
}

// inChinese asks for the other language.
func (v phone) inChinese(reading string) {
	v.t.Helper()
	v.do(chromedp.Navigate(reading))
	v.do(chromedp.Click(chromedp.CSS("nav a[hreflang=zh]")))
	v.is("document.documentElement.lang === 'zh'")
	v.do(chromedp.Click(chromedp.CSS("main .links a"))) // to another reading, in the same language
	v.is("location.search === '?lang=zh' && document.querySelector('form button')?.innerText === '开始抽牌'")
}

// meetsFaults is what is in a visitor's way, and how each of it is said.
func (v phone) meetsFaults(maintenance func(string)) {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base+"/?lang=en"), chromedp.SendKeys(chromedp.CSS("#question"), lostQuestion))
	press := func(says ...string) {
		v.t.Helper()
		v.do(chromedp.Click(chromedp.CSS("form button")))
		v.is("!document.querySelector('form button').disabled")
		told := v.text("form .told")
		for _, want := range says {
			if !strings.Contains(told, want) {
				v.t.Errorf("the page says %q, and nothing of %q", told, want)
			}
		}
		v.is(fmt.Sprintf("document.querySelector('#question').value === %q", lostQuestion))
	}

	end := v.answers(fetch.RequestStageRequest, func(ctx context.Context, id fetch.RequestID) error {
		wait := []*fetch.HeaderEntry{{Name: "Retry-After", Value: "7"}}
		_, err := chromedp.Call(ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: id, ResponseCode: 429, ResponseHeaders: wait})
		return err
	})
	press("very often", "in 7 s")
	end()

	maintenance("on")
	press("being worked on", "in 10 s") // nginx's own answer
	maintenance("off")

	offline := func(is bool) {
		v.t.Helper()
		all := network.Conditions{Offline: is, DownloadThroughput: -1, UploadThroughput: -1}
		if _, err := chromedp.Call(v.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{&all}}); err != nil {
			v.t.Fatal(err)
		}
	}
	offline(true)
	press("no connection")
	offline(false)

	// The reading is stored, and its answer never arrives.
	end = v.answers(fetch.RequestStageResponse, func(ctx context.Context, id fetch.RequestID) error {
		_, err := chromedp.Call(ctx, fetch.FailRequest, fetch.FailRequestParams{RequestID: id, ErrorReason: network.ErrorReasonConnectionReset})
		return err
	})
	press("no connection")
	end()
	v.do(chromedp.Click(chromedp.CSS("form button")))
	v.is("location.pathname.startsWith('/readings/') && document.readyState === 'complete'")
	if text := v.text("h1"); text != lostQuestion {
		v.t.Errorf("the reading is headed %q", text)
	}
}
