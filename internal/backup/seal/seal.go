// Package seal encrypts what is needed to set a site up again (its generated secrets, its
// configuration, its release), so that it may lie in a volume and in backups.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// head is the first line of what is sealed: it says how, and is authenticated with the rest.
const head = "tarot-platform sealed 1\n"

// Seal encrypts with AES-256-GCM by a key that is made of `tarot:backupKey`. It is text. The same
// content and key give the same text, so that an `up` that changes nothing changes nothing: who
// reads two of them sees whether they are the same, and their length, and no more.
func Seal(key string, plain []byte) []byte {
	box, naming := keys(key)
	mac := hmac.New(sha256.New, naming)
	mac.Write(plain)
	nonce := mac.Sum(nil)[:box.NonceSize()]
	sealed := box.Seal(nonce, nonce, plain, []byte(head))
	text := append([]byte(head), base64.StdEncoding.EncodeToString(sealed)...)
	return append(text, '\n')
}

// ErrKey is that the key is another one, or what was sealed was changed: nobody can tell which.
var ErrKey = errors.New("it was sealed with another tarot:backupKey, or was changed since")

// Open is what Seal was given.
func Open(key string, sealed []byte) ([]byte, error) {
	text, is := bytes.CutPrefix(sealed, []byte(head))
	if !is {
		return nil, fmt.Errorf("not sealed by this version: it begins with %.30q, want %q", sealed, head)
	}
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("what was sealed is cut off or changed: %w", err)
	}
	box, _ := keys(key)
	if len(raw) < box.NonceSize() {
		return nil, errors.New("what was sealed is cut off")
	}
	plain, err := box.Open(nil, raw[:box.NonceSize()], raw[box.NonceSize():], []byte(head))
	if err != nil {
		return nil, ErrKey
	}
	return plain, nil
}

// keys are two of one: what encrypts, and what makes the nonces.
func keys(key string) (cipher.AEAD, []byte) {
	both, err := hkdf.Key(sha256.New, []byte(key), nil, "tarot-platform backup state", 64)
	if err != nil {
		panic(err) // only of a length that is too long
	}
	block, err := aes.NewCipher(both[:32])
	if err != nil {
		panic(err) // only of a key's length
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only of a block's size
	}
	return box, both[32:]
}
