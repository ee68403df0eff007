package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// No CA is asked while nginx could not find who answers it, but not for ever.
func TestTheNameIsAwaited(t *testing.T) {
	times := 0
	lookup := func(_ context.Context, name string) ([]string, error) {
		if times++; times < 3 || name != ownName {
			return nil, errors.New("no such host")
		}
		return []string{"10.0.0.3"}, nil
	}
	begun := time.Now()
	if awaitName(t.Context(), lookup, time.Minute); times != 3 || time.Since(begun) > 30*time.Second {
		t.Errorf("asked %d times in %s", times, time.Since(begun))
	}
	nobody := func(context.Context, string) ([]string, error) { return nil, nil }
	begun = time.Now()
	awaitName(t.Context(), nobody, 300*time.Millisecond)
	if took := time.Since(begun); took < 300*time.Millisecond || took > 30*time.Second {
		t.Errorf("it gave up after %s", took)
	}
}
