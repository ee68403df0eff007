package preview

import (
	"encoding/json"
	"strings"
	"testing"
)

func secret(value any) map[string]any {
	text, _ := json.Marshal(value)
	return map[string]any{signature: secretValue, "plaintext": string(text)}
}

func exported(t *testing.T, outputs map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"version": 3, "deployment": map[string]any{
		"secrets_providers": map[string]any{"type": "passphrase", "state": map[string]any{"salt": "v1:salt"}},
		"resources":         []any{map[string]any{"urn": "urn:x::y", "outputs": outputs}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAStateWithoutItsSecrets(t *testing.T) {
	const hex, word = "cb6651e58330440c43e0451b3a33c4f3", "correct-horse-battery"
	open, err := withoutSecrets(exported(t, map[string]any{
		"result": secret(word), "hex": secret(hex), "open": "stays",
		"uploads": secret([]any{map[string]any{"content": word, "file": "/run/secrets/word", "mode": 4}}),
	}))
	if err != nil {
		t.Fatal(err)
	}
	text := string(open)
	for _, hidden := range []string{hex, word, "v1:salt", "secrets_providers", "ciphertext"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q is in\n%s", hidden, text)
		}
	}
	for _, kept := range []string{`"open":"stays"`, placeholder, strings.Repeat("ab", 16), `\"mode\":4`} {
		if !strings.Contains(text, kept) {
			t.Errorf("%q is not in\n%s", kept, text)
		}
	}
}

func TestAStateWhoseSecretsCanNotBeHidden(t *testing.T) {
	const word = "correct-horse-battery"
	for want, outputs := range map[string]map[string]any{
		"in its state in clear, too": {"result": secret(word), "command": "login --password " + word},
		"is the passphrase given":    {"result": map[string]any{signature: secretValue, "ciphertext": "v1:abc"}},
	} {
		if _, err := withoutSecrets(exported(t, outputs)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// What a file is called is no secret, though it is beside one.
	if _, err := withoutSecrets(exported(t, map[string]any{"uploads": secret([]any{map[string]any{"content": word, "file": "/run/secrets/word"}}), "env": "WORD_FILE=/run/secrets/word"})); err != nil {
		t.Error(err)
	}
	if _, err := withoutSecrets([]byte(`{}`)); err == nil {
		t.Error("nothing is a state")
	}
}
