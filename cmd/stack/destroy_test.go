package main

import (
	"strings"
	"testing"
)

func TestOnlyTheNameDestroysAStack(t *testing.T) {
	for said, want := range map[string]bool{"prod\n": true, " prod \n": true, "prod": true, "yes\n": false, "": false, "\nprod\n": false} {
		if err := agreed(strings.NewReader(said), "prod"); (err == nil) != want {
			t.Errorf("%q: %v", said, err)
		}
	}
}
