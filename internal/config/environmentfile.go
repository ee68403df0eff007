package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// WithEnvironmentFile is a raw configuration with what is in the file of
// `backend.environmentFile` among `backend.environment`, whose own values go before it, and
// without the key: so it is a part of the release, is recorded with it and comes back with it,
// whatever the file says by then. What is of another form is left to Load to refuse.
func WithEnvironmentFile(raw map[string]string) (map[string]string, error) {
	const whole = Namespace + ":backend"
	var backend map[string]json.RawMessage
	var path string
	if json.Unmarshal([]byte(raw[whole]), &backend) != nil || json.Unmarshal(backend["environmentFile"], &path) != nil || path == "" {
		return raw, nil
	}
	environment, err := readEnvironment(path)
	if err != nil {
		return nil, Fault{Namespace, "backend.environmentFile", quote(path), fmt.Sprintf("%s (%v)", allowed("backend.environmentFile"), err)}
	}
	if text, set := backend["environment"]; set {
		own, err := scalars(text)
		if err != nil {
			return raw, nil //nolint:nilerr // Load says it with its key
		}
		maps.Copy(environment, own)
	}
	delete(backend, "environmentFile")
	if backend["environment"], err = json.Marshal(environment); err != nil {
		return nil, err
	}
	text, err := json.Marshal(backend)
	if err != nil {
		return nil, err
	}
	merged := maps.Clone(raw)
	merged[whole] = string(text)
	return merged, nil
}

// readEnvironment reads a file in .env form as `docker compose` does, but for variables of
// whoever runs this: a release is the same on every machine.
func readEnvironment(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var unknown []string
	found, err := dotenv.ParseWithLookup(bytes.NewReader(text), func(name string) (string, bool) {
		// ${NAME:-default} and its kin say themselves what is then.
		if !slices.ContainsFunc([]string{":", "-", "+", "?"}, func(operator string) bool { return strings.Contains(string(text), "${"+name+operator) }) {
			unknown = append(unknown, name)
		}
		return "", false
	})
	// What is set above in the file is asked for, too.
	unknown = slices.DeleteFunc(unknown, func(name string) bool { _, set := found[name]; return set })
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("%s has no value in it; a $ that means itself is written in single quotes", strings.Join(unknown, ", "))
	}
	return found, err
}
