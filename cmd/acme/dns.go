package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/providers/dns/cloudflare"
)

// Where Alibaba Cloud's API is, and what is special of the questions that records are awaited with: nothing. Variables for tests.
var (
	alidnsAddress = "https://alidns.aliyuncs.com/"
	dnsOptions    []dns01.ChallengeOption
)

// dnsProvider puts records into the zone of the names.
func dnsProvider(name string) (challenge.Provider, error) {
	switch name {
	case "cloudflare":
		token, err := secret("acmeDnsToken")
		if err != nil {
			return nil, err
		}
		config := cloudflare.NewDefaultConfig()
		config.AuthToken = token
		return cloudflare.NewDNSProviderConfig(config)
	case "alidns", "tencentcloud":
		id, err := secret("acmeDnsKeyId")
		if err != nil {
			return nil, err
		}
		key, err := secret("acmeDnsKey")
		if err != nil {
			return nil, err
		}
		client := &http.Client{Timeout: 30 * time.Second}
		if name == "alidns" {
			return newRecords(&alidns{id: id, key: key, base: alidnsAddress, http: client}), nil
		}
		return newRecords(&tencentcloud{id: id, key: key, base: "https://dnspod.tencentcloudapi.com/", http: client}), nil
	}
	return nil, fmt.Errorf("no DNS provider is called %q", name)
}

// zones are a provider's API, as far as it is needed here. The modules of their own, which lego
// would take, are many times the rest of this program.
type zones interface {
	// add makes a TXT record of a name in a zone, and says by what it is removed.
	add(ctx context.Context, zone, name, value string) (id string, err error)
	remove(ctx context.Context, zone, id string) error
}

// records answers a CA's question by DNS.
type records struct {
	zones
	// zone finds the zone of a name.
	zone func(ctx context.Context, name string) (string, error)

	mu   sync.Mutex
	made map[string][2]string // zone and id, by the token
}

func newRecords(z zones) *records {
	return &records{zones: z, made: map[string][2]string{}, zone: func(ctx context.Context, name string) (string, error) {
		return dns01.DefaultClient().FindZoneByFqdn(ctx, name)
	}}
}

// Timeout implements challenge.ProviderTimeout.
func (r *records) Timeout() (timeout, interval time.Duration) {
	return 3 * time.Minute, 4 * time.Second
}

// Present implements challenge.Provider. A CNAME may have led to another zone.
func (r *records) Present(ctx context.Context, domain, token, answer string) error {
	info := dns01.GetChallengeInfo(ctx, domain, answer)
	return r.present(ctx, token, info.EffectiveFQDN, info.Value)
}

func (r *records) present(ctx context.Context, token, full, value string) error {
	zone, err := r.zone(ctx, full)
	if err != nil {
		return err
	}
	name, err := dns01.ExtractSubDomain(full, zone)
	if err != nil {
		return err
	}
	zone = dns01.UnFqdn(zone)
	id, err := r.add(ctx, zone, name, value)
	if err != nil {
		return fmt.Errorf("a record %s in the zone %s: %w", name, zone, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made[token] = [2]string{zone, id}
	return nil
}

// CleanUp implements challenge.Provider. It removes what Present has made, and nothing else.
func (r *records) CleanUp(ctx context.Context, _, token, _ string) error {
	r.mu.Lock()
	made, known := r.made[token]
	delete(r.made, token)
	r.mu.Unlock()
	if !known {
		return nil
	}
	return r.remove(ctx, made[0], made[1])
}
