package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/config"
	"tarot-platform/internal/stackfile"
)

// readConfiguration returns it where nothing in it is overlooked or would be readable.
func readConfiguration(ctx *pulumi.Context) (values, error) {
	source, err := configuration()
	if err != nil {
		return source, err
	}
	if err := rejectForeignNamespace(source.all, ctx.Project()); err != nil {
		return source, err
	}
	if err := config.RefuseSealed(source.sealed, secretsIn(ctx)); err != nil {
		return source, err
	}
	return source.withEnvironmentFile()
}

// withEnvironmentFile has what the file says as if it were in the stack file.
func (v values) withEnvironmentFile() (values, error) {
	for _, raw := range []*map[string]string{&v.all, &v.open} {
		var err error
		if *raw, err = config.WithEnvironmentFile(*raw); err != nil {
			return v, err
		}
	}
	return v, nil
}

// values are the stack's configuration: a key with its namespace, and its value
// as Pulumi passes it on. Sealed are the keys that Pulumi says hold a secret.
type values struct {
	all, open, secret map[string]string
	sealed            []string
}

// configuration reads all of it at once: Pulumi's own accessors take a key at a
// time, and would never see one that is misspelt.
func configuration() (values, error) {
	v := values{map[string]string{}, map[string]string{}, map[string]string{}, nil}
	for variable, target := range map[string]any{pulumi.EnvConfig: &v.all, pulumi.EnvConfigSecretKeys: &v.sealed} {
		if text := os.Getenv(variable); text != "" {
			if err := json.Unmarshal([]byte(text), target); err != nil {
				return v, fmt.Errorf("%s: %w", variable, err)
			}
		}
	}
	for key, value := range v.all {
		// Also what should be a secret and is not marked as one.
		if slices.Contains(v.sealed, key) || config.IsSecret(strings.TrimPrefix(key, config.Namespace+":")) {
			v.secret[key] = value
		} else {
			v.open[key] = value
		}
	}
	return v, nil
}

// rejectForeignNamespace refuses keys that would be overlooked: those of the project's name,
// where that was changed.
func rejectForeignNamespace(all map[string]string, project string) error {
	for key := range all {
		if name, mine := strings.CutPrefix(key, project+":"); mine && project != config.Namespace {
			return fmt.Errorf("%s is not allowed; allowed: %s:%s (this program's keys begin with %s:, whatever the project is called)",
				key, config.Namespace, name, config.Namespace)
		}
	}
	return nil
}

// secretsIn are the paths of the secrets in the stack's file, for an error; none where
// it is somewhere else.
func secretsIn(ctx *pulumi.Context) []string {
	file, err := os.ReadFile("Pulumi." + ctx.Stack() + ".yaml")
	if err != nil {
		return nil
	}
	paths, _ := stackfile.Secrets(file)
	return paths
}
