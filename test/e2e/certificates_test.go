//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"time"

	"tarot-platform/internal/certificate"
)

// certificates writes a good pair, another key, and an expired pair.
func (s *stack) certificates() {
	t := s.t
	t.Helper()
	write := func(name string, seed byte, now time.Time) {
		pair, err := certificate.SelfSigned([]byte{seed}, []string{"localhost"}, now)
		if err != nil {
			t.Fatal(err)
		}
		for suffix, text := range map[string]string{".crt": pair.Certificate, ".key": pair.Key} {
			if err := os.WriteFile(filepath.Join(s.dir, name+suffix), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("good", 1, time.Now())
	write("other", 2, time.Now())
	write("old", 3, time.Now().AddDate(-4, 0, 0))
}
