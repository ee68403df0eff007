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
		const said = "tarot:databaseUrl: a secret of another form is not allowed; allowed: a URL;"
		if strings.Contains(faults, said) == want || strings.Contains(faults, "very-own") {
			t.Errorf("%s: %s", address, faults)
		}
	}
}
