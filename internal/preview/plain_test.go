package preview

import (
	"encoding/base64"
	"strings"
	"testing"
)

// What is encrypted anew each time is no change; a text in base64 is one.
func TestWhatIsEncryptedIsNotCompared(t *testing.T) {
	of := func(data string) plan {
		return plan{resources: map[string]resource{"u": {URN: "u", Type: containerType, Custom: true, Inputs: map[string]any{"content": base64.StdEncoding.EncodeToString([]byte(data)) + "\n"}}}}
	}
	compared := func(a, b string) int {
		from, to := of(a), of(b)
		from.plain()
		to.plain()
		return len(changes(from, to))
	}
	if compared(strings.Repeat("\xff\x00a", 100), strings.Repeat("\xfe\x00b", 100)) != 0 {
		t.Error("what is encrypted is compared")
	}
	if compared(strings.Repeat("a certificate ", 50), strings.Repeat("another one ", 50)) != 1 {
		t.Error("a text in base64 is not compared")
	}
}
