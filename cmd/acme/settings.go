package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Where it listens: for nginx, for Prometheus, and for itself in its own container.
const (
	challengeAddress = ":8402"
	metricsAddress   = ":9747"
	controlAddress   = "127.0.0.1:9748"
)

// Kinds of challenges.
const (
	byHTTP = "http-01"
	byDNS  = "dns-01"
)

// secretDir is where the secrets are. A variable for tests.
var secretDir = "/run/secrets"

// Settings are what the stack file says (components/acme writes them).
type Settings struct {
	Domains []string `json:"domains"`
	Email   string   `json:"email"`
	// CAs are asked in this order.
	CAs []CA `json:"cas"`
	// Challenge is byHTTP or byDNS, and DNS whose the names' zone is, for the latter.
	Challenge string `json:"challenge"`
	DNS       string `json:"dns,omitempty"`
	// Roots is a file with CAs that are believed beside the well-known; empty: none.
	Roots string `json:"roots,omitempty"`
	// Folder is where all is kept.
	Folder string `json:"folder"`
}

// CA is one that issues certificates.
type CA struct {
	// Name is for people, and for metrics.
	Name      string `json:"name"`
	Directory string `json:"directory"`
	// EAB is true where the secrets acmeEabKeyId and acmeEabHmac are this one's.
	EAB bool `json:"eab,omitempty"`
}

func readSettings(file string) (Settings, error) {
	var s Settings
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	if len(s.Domains) == 0 || len(s.CAs) == 0 || s.Folder == "" {
		return s, fmt.Errorf("%s: it wants domains, cas and a folder", file)
	}
	return s, nil
}

// secret is a secret's value.
func secret(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(secretDir, name))
	return strings.TrimSpace(string(text)), err
}
