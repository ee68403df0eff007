package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/miekg/dns"
)

// zoned is a world of two zones, whose names are asked for by DNS, and whose records are made by Alibaba Cloud's API.
type zoned struct {
	mu sync.Mutex
	// aliases lead to another name, and texts are what a name has, by the record's id.
	aliases map[string]string
	texts   map[string][2]string
	said    []string
}

// ServeDNS implements dns.Handler, as a resolver would: what a name leads to is in the answer, too.
func (z *zoned) ServeDNS(w dns.ResponseWriter, asked *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	answer := new(dns.Msg).SetReply(asked)
	question := asked.Question[0]
	add := func(format string, values ...any) {
		record, err := dns.NewRR(fmt.Sprintf(format, values...))
		if err != nil {
			panic(err)
		}
		answer.Answer = append(answer.Answer, record)
	}
	name := strings.ToLower(question.Name)
	switch question.Qtype {
	case dns.TypeSOA:
		if name == "shop.example." || name == "acme-zone.example." {
			add("%s 60 IN SOA ns.%s me.%s 1 60 60 60 60", name, name, name)
		}
	case dns.TypeTXT, dns.TypeCNAME:
		if to := z.aliases[name]; to != "" {
			add("%s 60 IN CNAME %s", name, to)
			name = to
		}
		for _, text := range z.texts {
			if question.Qtype == dns.TypeTXT && text[0] == name {
				add("%s 60 IN TXT %q", name, text[1])
			}
		}
	}
	_ = w.WriteMsg(answer)
}

// ServeHTTP is the API.
func (z *zoned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z.mu.Lock()
	defer z.mu.Unlock()
	id := r.PostFormValue("RecordId")
	switch r.PostFormValue("Action") {
	case "AddDomainRecord":
		z.said = append(z.said, r.PostFormValue("RR")+" in "+r.PostFormValue("DomainName"))
		id = strconv.Itoa(len(z.said))
		z.texts[id] = [2]string{r.PostFormValue("RR") + "." + r.PostFormValue("DomainName") + ".", r.PostFormValue("Value")}
	case "DeleteDomainRecord":
		if _, there := z.texts[id]; !there {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"Code": "DomainRecordNotBelongToUser", "Message": "no such record"}`)
			return
		}
		delete(z.texts, id)
	}
	fmt.Fprintf(w, `{"RecordId": %q}`, id)
}

// A wildcard, with the records in the zone of the name, or in another one that a CNAME leads to: a real CA finds them, and none stays.
func TestByDNS(t *testing.T) {
	secretDir = t.TempDir()
	t.Cleanup(func() { secretDir = "/run/secrets" })
	for _, name := range []string{"acmeDnsKeyId", "acmeDnsKey"} {
		if err := os.WriteFile(filepath.Join(secretDir, name), []byte("word\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		aliases map[string]string
		made    string
	}{
		"in its own zone": {nil, "_acme-challenge in shop.example"},
		"in another zone": {map[string]string{"_acme-challenge.shop.example.": "shop.acme-zone.example."}, "shop in acme-zone.example"},
	} {
		t.Run(name, func(t *testing.T) {
			z := &zoned{aliases: test.aliases, texts: map[string][2]string{}}
			socket, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			resolver := socket.LocalAddr().String()
			listener, err := net.Listen("tcp", resolver) // which the CA asks by
			if err != nil {
				t.Fatal(err)
			}
			for _, names := range []*dns.Server{{PacketConn: socket, Handler: z}, {Listener: listener, Handler: z}} {
				go func() { _ = names.ActivateAndServe() }()
				t.Cleanup(func() { _ = names.Shutdown() })
			}
			api := httptest.NewServer(z)
			t.Cleanup(api.Close)

			before, address := dns01.DefaultClient(), alidnsAddress
			t.Cleanup(func() { dns01.SetDefaultClient(before); alidnsAddress, dnsOptions = address, nil })
			dns01.SetDefaultClient(dns01.NewClient(&dns01.Options{RecursiveNameservers: []string{resolver}}))
			// A zone's own servers would be asked at port 53.
			alidnsAddress, dnsOptions = api.URL, []dns01.ChallengeOption{dns01.DisableAuthoritativeNssPropagationRequirement()}

			p := newPebble(t, "first", 1, quarter, "") // by HTTP, nobody answers
			p.begin(t, 1, resolver, quarter, "")
			m := newMachine(t, 0, p)
			settings := m.Settings
			settings.Domains, settings.Challenge, settings.DNS = []string{"*.shop.example", "shop.example"}, byDNS, "alidns"
			m.manager = again(t, settings, m)
			m.step(t.Context())
			has := m.mustHave(t)
			if !slices.Equal(sorted(has.leaf.DNSNames), sorted(settings.Domains)) {
				t.Errorf("for %v", has.leaf.DNSNames)
			}
			if !slices.Equal(z.said, []string{test.made, test.made}) || len(z.texts) > 0 {
				t.Errorf("records %q, of which %d stay", z.said, len(z.texts))
			}
		})
	}
}
