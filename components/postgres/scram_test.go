package postgres

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// The exchange is that of RFC 7677, section 3: what the server keeps has to accept the client's
// proof, and to make the server's own.
func TestVerifierIsThatOfTheStandard(t *testing.T) {
	const (
		salt     = "W22ZaJ0SNY7soEsUEjb6gQ=="
		exchange = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
		proof    = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
		answer   = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	)
	decoded := func(text string) []byte {
		t.Helper()
		all, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	text, err := verifier("pencil", decoded(salt))
	if err != nil {
		t.Fatal(err)
	}
	keys, ok := strings.CutPrefix(text, "SCRAM-SHA-256$4096:"+salt+"$")
	stored, server, two := strings.Cut(keys, ":")
	if !ok || !two {
		t.Fatal(text)
	}
	client := decoded(proof)
	for i, b := range sign(decoded(stored), exchange) {
		client[i] ^= b
	}
	if sum := sha256.Sum256(client); !hmac.Equal(sum[:], decoded(stored)) {
		t.Error("the client's proof is not accepted")
	}
	if got := sign(decoded(server), exchange); !hmac.Equal(got, decoded(answer)) {
		t.Error("the server's answer is another one")
	}
}

// Whoever asks again sets what is set, and who knows the one has not the other.
func TestAnAccountFollowsFromItsPassword(t *testing.T) {
	seen := map[string]bool{}
	for _, password := range []string{"one", "two", "one"} {
		role, err := Role(password)
		if err != nil || !regexp.MustCompile(`^app_[0-9a-f]{8}$`).MatchString(role) {
			t.Errorf("%v: %s", err, role)
		}
		verifier, err := Verifier(password)
		if err != nil || strings.Contains(verifier, strings.TrimPrefix(role, "app_")) {
			t.Errorf("%v: %s", err, verifier)
		}
		seen[role], seen[verifier] = true, true
	}
	if len(seen) != 4 {
		t.Errorf("%v", seen)
	}
}
