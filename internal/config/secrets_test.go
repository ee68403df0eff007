package config

import "testing"

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
