package main

import (
	"fmt"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/providers/dns/cloudflare"
)

// dnsProvider puts records into the zone of the names.
func dnsProvider(name string) (challenge.Provider, error) {
	if name != "cloudflare" {
		return nil, fmt.Errorf("no DNS provider is called %q", name)
	}
	token, err := secret("acmeDnsToken")
	if err != nil {
		return nil, err
	}
	config := cloudflare.NewDefaultConfig()
	config.AuthToken = token
	return cloudflare.NewDNSProviderConfig(config)
}
