package config

import (
	"strings"
	"testing"
)

// What is not known to be open is kept out of a release's record.
func TestIsSecret(t *testing.T) {
	for key, want := range map[string]bool{
		"backend": false, "nginx": false, "releases": false, "runtime": false, "secretVersions": false,
		"jwtSecretKey": true, "adminPassword": true, "tlsKey": true, "tlsCertificate": true, "API_KEY": true, "Backend": true, "": true,
	} {
		if got := IsSecret(key); got != want {
			t.Errorf("%q: %v", key, got)
		}
	}
}

func TestTheSecretDatabaseURLIsCheckedAndNotShown(t *testing.T) {
	for address, want := range map[string]bool{
		"postgresql://u:very-own@db/x":         true,
		"sqlite:///./data/prod.db":             true,
		"sqlite:///./very-own.db":              false,
		"very-own":                             false,
		"postgresql://u:very-own":              false, // no port
		"postgresql:///very-own":               false,
		"postgresql+psycopg://u:very-own@db/x": true,
	} {
		_, err := Load(map[string]string{Namespace + ":databaseUrl": address, Namespace + ":backend": `{"context":"."}`, Namespace + ":build": `{}`})
		faults := ""
		if err != nil {
			faults = err.Error()
		}
		const said = "tarot:databaseUrl: a secret of another form is not allowed; allowed: empty, or a URL;"
		if strings.Contains(faults, said) == want || strings.Contains(faults, "very-own") {
			t.Errorf("%s: %s", address, faults)
		}
	}
}

func TestAnAddressWithAPasswordIsNoPlainValue(t *testing.T) {
	for _, address := range []string{
		"postgresql://shop:pa55word@db.internal:5432/shop", "postgresql+asyncpg://shop:pa55%40word@db/shop?ssl=1",
		"postgresql://db/shop?user=shop&password=pa55word", "postgresql://shop:pa55/word@db/shop", "mysql://shop:pa55@word@db/shop",
	} {
		cfg := Defaults()
		cfg.Backend.DatabaseURL = address
		err := cfg.Validate()
		if err == nil || !strings.Contains(err.Error(), "tarot:backend.databaseUrl: ") {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if strings.Contains(err.Error(), "pa55") || strings.Contains(err.Error(), "word@") {
			t.Errorf("the password is shown: %v", err)
		}
		if HasPassword(address) && !strings.Contains(err.Error(), "pulumi config set --secret tarot:databaseUrl") {
			t.Errorf("how to go on is not said: %v", err)
		}
	}
	for _, address := range []string{"postgresql://shop@db.internal/shop", "sqlite:///./data/prod.db", "postgresql://db/shop"} {
		if HasPassword(address) {
			t.Errorf("%s has none", address)
		}
	}
}
