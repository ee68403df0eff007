//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/internal/edge"
)

// proxyV1 is the PROXY protocol's first version: a line before the connection.
func proxyV1(client string, port int) string {
	family := "TCP4"
	if strings.Contains(client, ":") {
		family = "TCP6"
	}
	return fmt.Sprintf("PROXY %s %s %s 40000 %d\r\n", family, client, map[string]string{"TCP4": "192.0.2.99", "TCP6": "2001:db8::99"}[family], port)
}

// proxyV2 is its second one, with or without a word on TLS between client and proxy; without a client it is the proxy's own
// question.
func proxyV2(client string, port int, overTLS bool) string {
	head := []byte("\r\n\r\n\x00\r\nQUIT\n")
	if client == "" {
		return string(append(head, 0x20, 0x00, 0, 0))
	}
	from, family := netip.MustParseAddr(client), byte(0x11)
	to := netip.MustParseAddr("192.0.2.99")
	if from.Is6() {
		family, to = 0x21, netip.MustParseAddr("2001:db8::99")
	}
	body := append(from.AsSlice(), to.AsSlice()...)
	body = binary.BigEndian.AppendUint16(body, 40000)
	body = binary.BigEndian.AppendUint16(body, uint16(port)) //nolint:gosec // it is one
	if overTLS {
		version := append([]byte{0x21, 0, 7}, "TLSv1.3"...)
		body = append(body, 0x20, 0, byte(5+len(version)), 1, 0, 0, 0, 0)
		body = append(body, version...)
	}
	head = append(head, 0x21, family)
	return string(append(binary.BigEndian.AppendUint16(head, uint16(len(body))), body...)) //nolint:gosec // it is short
}

// says asks at an address, from one of this machine's and with a word before the connection.
func says(base, by, word, path string, options ...option) (status int, said string, err error) {
	transport := &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // self-signed
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(by)}}).DialContext(ctx, network, address)
			if err == nil {
				_, err = io.WriteString(c, word)
			}
			return c, err
		},
	}
	request, err := http.NewRequest(http.MethodGet, base+path, nil)
	if err != nil {
		return 0, "", err
	}
	request.Host = "shop.example"
	for _, change := range options {
		change(request)
	}
	answer, err := (&http.Client{Timeout: 10 * time.Second, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// elsewhere is an address of this machine on no network of these.
func elsewhere(t *testing.T, gateway string) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		ip := a.(*net.IPNet).IP
		if ip.To4() != nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && ip.String() != gateway {
			return ip.String()
		}
	}
	t.Fatal("this machine has one address")
	return ""
}

// TestTheProxyProtocol is a balancer that says for whom it connects, and somebody else who says the same.
//
//suite:core
func TestTheProxyProtocol(t *testing.T) {
	balancer := ""
	d := newDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Join([]string{r.Header.Get("X-Real-IP"), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto")}, " "))
	}), func(c *assets.Config) {
		c.ProxyProtocol, balancer = true, c.Hosts[0]
		c.Known = []string{"shop.example"}
		c.Barred = []assets.Barred{{Path: "/admin", Allow: []string{"203.0.113.0/24"}, Name: "barred_1"}}
	})
	stranger := elsewhere(t, balancer)
	const client, client6, toHTTPS = "203.0.113.7", "2001:db8:7::7", "308 "
	forged := func(r *http.Request) {
		r.Header.Set("X-Forwarded-For", "198.51.100.66")
		r.Header.Set("X-Forwarded-Proto", "https")
	}
	none := func(*http.Request) {}
	of := func(address, scheme string) string { return "200 " + address + " " + address + " " + scheme }
	for _, test := range []struct {
		what, base, by, word string
		option               option
		want                 string
	}{
		{"version 1", d.https, balancer, proxyV1(client, 443), none, of(client, "https")},
		{"version 1, IPv6", d.https, balancer, proxyV1(client6, 443), none, of(client6, "https")},
		{"version 2", d.https, balancer, proxyV2(client, 443, false), none, of(client, "https")},
		{"version 2, IPv6", d.https, balancer, proxyV2(client6, 443, false), none, of(client6, "https")},
		{"a client's own headers", d.https, balancer, proxyV2(client, 443, false), forged, of(client, "https")},
		{"HTTP, version 1", d.http, balancer, proxyV1(client, 80), none, toHTTPS},
		{"HTTP, version 2", d.http, balancer, proxyV2(client, 80, false), none, toHTTPS},
		{"HTTP, a client that says it is not", d.http, balancer, proxyV1(client, 80), forged, toHTTPS},
		{"TLS ended by the balancer, by its port", d.http, balancer, proxyV1(client, 443), none, of(client, "https")},
		{"TLS ended by the balancer, by its word", d.http, balancer, proxyV2(client, 8443, true), none, of(client, "https")},
		{"the balancer's own question, version 1", d.http, balancer, "PROXY UNKNOWN\r\n", none, of(balancer, "http")},
		{"the balancer's own question, version 2", d.http, balancer, proxyV2("", 0, false), none, of(balancer, "http")},
		{"a stranger, version 1", d.https, stranger, proxyV1(client, 443), forged, of(stranger, "https")},
		{"a stranger, version 2", d.https, stranger, proxyV2(client, 443, true), forged, of(stranger, "https")},
		{"a stranger, HTTP", d.http, stranger, proxyV1(client, 443), forged, toHTTPS},
		{"a stranger, HTTP with a word on TLS", d.http, stranger, proxyV2(client, 443, true), none, toHTTPS},
	} {
		status, said, err := says(test.base, test.by, test.word, "/", test.option)
		if status == http.StatusPermanentRedirect {
			said = ""
		}
		if got := fmt.Sprint(status, " ", said); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.what, got, err, test.want)
		}
	}
	for by, want := range map[string]int{balancer: http.StatusOK, stranger: http.StatusForbidden} {
		if status, _, err := says(d.https, by, proxyV1(client, 443), "/admin", none); status != want {
			t.Errorf("/admin, from %s: %d, %v, want %d", by, status, err, want)
		}
		for _, base := range []string{d.https, d.http} {
			if status, said, err := says(base, by, "", "/", none); err == nil {
				t.Errorf("without it, from %s: %d %s", by, status, said)
			}
		}
	}
	inside := strings.NewReplacer(":8443", fmt.Sprint(":", assets.InsideTLSPort), ":8080", fmt.Sprint(":", assets.InsidePort))
	if status, said, err := says(inside.Replace(d.https), balancer, "", "/", forged); err != nil || said != of(balancer, "https")[4:] {
		t.Errorf("from inside: %d %s, %v", status, said, err)
	}
	// The deploy, which may take nginx for one without.
	for _, proxied := range []bool{true, false} {
		state, err := edge.Client{Base: d.https, Token: "token", Proxied: proxied, TLS: &tls.Config{InsecureSkipVerify: true}}.State(t.Context()) //nolint:gosec // self-signed
		if err != nil || state.Configuration != "c0ffee" || !state.Proxied {
			t.Errorf("the deploy: %+v, %v", state, err)
		}
	}
}

// proxied has the stack's nginx want the PROXY protocol of who is in front, which balanced has named.
func (s *stack) proxied() {
	t := s.t
	s.config("nginx.proxyProtocol", true)
	s.up()
	base, gateway := fmt.Sprintf("https://127.0.0.1:%d", s.https), strings.TrimSuffix(s.subnet(214), "0/24")+"1"
	ask := func(word string) (map[string]any, error) {
		status, said, err := says(base, "", word, "/echo?all=1")
		if err != nil || status != http.StatusOK {
			return nil, errors.Join(err, fmt.Errorf("%d: %s", status, said))
		}
		return answer{body: []byte(said)}.json(t)["headers"].(map[string]any), nil
	}
	for word, want := range map[string]string{proxyV1("203.0.113.7", 443): "203.0.113.7", proxyV2("2001:db8:7::7", 443, false): "2001:db8:7::7", "PROXY UNKNOWN\r\n": gateway} {
		if headers, err := ask(word); err != nil || headers["X-Real-IP"] != want || headers["X-Forwarded-For"] != want || headers["X-Forwarded-Proto"] != "https" {
			t.Errorf("%q: %v, %v", word, headers, err)
		}
	}
	if _, err := ask(""); err == nil {
		t.Error("an answer without it")
	}
}
