package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// iterations are what PostgreSQL itself takes. The password is random, so that more would help
// nobody.
const iterations = 4096

// Role is the account that has the password: `app_` and 8 digits that follow from it. PostgreSQL
// has one password an account, so that two that are good at a time are two accounts; and a
// password that comes back is the account that it was.
func Role(password string) (string, error) {
	return owner + "_" + hex.EncodeToString(derived(password, "role"))[:8], nil
}

// Verifier is what PostgreSQL keeps of a password, and checks it by, after RFC 5803. Nobody logs in
// with it. It follows from the password alone, which is random: whoever sets it twice changes
// nothing.
func Verifier(password string) (string, error) {
	return verifier(password, derived(password, "salt")[:16])
}

func verifier(password string, salt []byte) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, text(salt), text(stored[:]), text(sign(salted, "Server Key"))), nil
}

// derived tells nothing of the password that it is made of.
func derived(password, what string) []byte { return sign([]byte(password), "tarot postgres "+what) }

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
