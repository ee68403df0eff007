package seal

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

const key = "a key that was generated for this test"

func TestWhatWasSealedOpensWithItsKeyAlone(t *testing.T) {
	for _, plain := range []string{"", "jwtSecretKey: abc", strings.Repeat("x", 100_000), "\x00\xff"} {
		sealed := Seal(key, []byte(plain))
		if got, err := Open(key, sealed); err != nil || string(got) != plain {
			t.Errorf("%.20q: got %.20q, %v", plain, got, err)
		}
		if got, err := Open(key+"x", sealed); !errors.Is(err, ErrKey) {
			t.Errorf("another key: got %.20q, %v", got, err)
		}
		if !utf8.Valid(sealed) {
			t.Errorf("%.20q is sealed as %.60q: not text, and a file of a container has to be", plain, sealed)
		}
	}
}

func TestTheSameIsSealedAsTheSameAndAnotherAsAnother(t *testing.T) {
	if one, other := Seal(key, []byte("same")), Seal(key, []byte("same")); !bytes.Equal(one, other) {
		t.Errorf("the same twice: %s and %s", one, other)
	}
	// No two contents may share a nonce: the first bytes after the head.
	one, other := Seal(key, []byte("aaaa")), Seal(key, []byte("aaab"))
	if bytes.Equal(one[:len(head)+16], other[:len(head)+16]) {
		t.Errorf("two contents have one nonce: %s and %s", one, other)
	}
	if bytes.Equal(Seal(key, []byte("same")), Seal(key+"x", []byte("same"))) {
		t.Error("two keys seal alike")
	}
}

func TestWhatWasChangedDoesNotOpen(t *testing.T) {
	sealed := Seal(key, []byte("adminPassword: s3cret"))
	if bytes.Contains(sealed, []byte("s3cret")) {
		t.Fatal("it can be read")
	}
	for i := range sealed[:len(sealed)-1] { // but for the end of the line
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if plain, err := Open(key, changed); err == nil {
			// The last character of base64 may have bits that mean nothing.
			if !bytes.Equal(plain, []byte("adminPassword: s3cret")) {
				t.Fatalf("byte %d changed: opens as %q", i, plain)
			}
			if i < len(sealed)-5 {
				t.Fatalf("byte %d changed: it opens all the same", i)
			}
		}
	}
	for _, cut := range []int{0, 10, len(head), len(head) + 8, len(sealed) - 10} {
		if _, err := Open(key, sealed[:cut]); err == nil {
			t.Errorf("its first %d bytes open", cut)
		}
	}
}
