package main

import (
	"maps"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/internal/config"
)

func TestLoadConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("app", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("app/Dockerfile", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, environment, want string
		ok                      func(config.Config) bool
	}{
		{"none", "", "", func(c config.Config) bool { return c.Backend.Replicas == 3 }},
		{"of the project", `{"tarot:backend":"{\"replicas\":5}","other:replica":"1"}`, "",
			func(c config.Config) bool { return c.Backend.Replicas == 5 }},
		{"misspelt", `{"tarot:backed":"{}"}`, "tarot:backed: there is no such key", nil},
		{"wrong", `{"tarot:backend":"{\"replicas\":0}"}`, `tarot:backend.replicas: "0" is not allowed`, nil},
		{"unreadable", `{`, "PULUMI_CONFIG: unexpected end of JSON input", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(pulumi.EnvConfig, test.environment)
			var cfg config.Config
			source, err := configuration()
			if err == nil {
				cfg, err = config.Load(source.all)
			}
			switch {
			case test.ok != nil && (err != nil || !test.ok(cfg)):
				t.Errorf("%v, %+v", err, cfg)
			case test.ok == nil && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestKeysOfARenamedProjectAreNotOverlooked(t *testing.T) {
	if err := rejectForeignNamespace(map[string]string{"tarot:backend": "{}", "docker:host": "x"}, "shop"); err != nil {
		t.Error(err)
	}
	err := rejectForeignNamespace(map[string]string{"shop:backend": "{}"}, "shop")
	if err == nil || !strings.HasPrefix(err.Error(), "shop:backend is not allowed; allowed: tarot:backend") {
		t.Errorf("%v", err)
	}
	if err := rejectForeignNamespace(map[string]string{"tarot:backend": "{}"}, config.Namespace); err != nil {
		t.Error(err)
	}
}

// A record of a release can be read by whoever may use the engine.
func TestNoSecretGetsIntoARelease(t *testing.T) {
	t.Setenv(pulumi.EnvConfig, `{"tarot:adminPassword":"a","tarot:API_KEY":"b","tarot:build":"{}","tarot:nginx":"{}"}`)
	t.Setenv(pulumi.EnvConfigSecretKeys, `["tarot:API_KEY","tarot:nginx"]`)
	got, err := configuration()
	if err != nil || len(got.all) != 4 || !maps.Equal(got.open, map[string]string{"tarot:build": "{}"}) || len(got.secret) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A rollback brings back what the file said, so the record has it.
func TestAReleaseHasWhatItsEnvironmentFileSaid(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("GREETING=hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, `{"tarot:backend":"{\"environmentFile\":\".env\"}","tarot:API_KEY":"b"}`)
	source, err := configuration()
	if err == nil {
		source, err = source.withEnvironmentFile()
	}
	const want = `{"environment":{"GREETING":"hello"}}`
	if err != nil || source.open["tarot:backend"] != want || source.all["tarot:backend"] != want || source.all["tarot:API_KEY"] != "b" {
		t.Errorf("%v, %v", source.all, err)
	}
}

func TestASecretInsideAnObjectIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv(pulumi.EnvConfig, `{"tarot:backend":"{\"databaseUrl\":\"postgresql://shop:pa55word@db/shop\"}","tarot:runtime":"swarm"}`)
	t.Setenv(pulumi.EnvConfigSecretKeys, `["tarot:backend","tarot:runtime","tarot:API_KEY","other:thing"]`)
	refused := func() string {
		err := pulumi.RunErr(new(update).run, pulumi.WithMocks("tarot", "dev", nothing{t}))
		if err == nil {
			t.Fatal("it is deployed")
		}
		return err.Error()
	}
	said := refused()
	for _, want := range []string{"tarot:backend: a secret is not allowed here", "tarot:runtime: a secret is not allowed here", "pulumi config set --secret tarot:NAME"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in: %s", want, said)
		}
	}
	if strings.Contains(said, "API_KEY") || strings.Contains(said, "other:thing") || strings.Contains(said, "pa55word") {
		t.Error(said)
	}
	file := "config:\n  tarot:runtime:\n    secure: v1:x\n  tarot:backend:\n    databaseUrl:\n      secure: v1:y\n"
	if err := os.WriteFile("Pulumi.dev.yaml", []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := refused(); !strings.Contains(said, "tarot:backend.databaseUrl: a secret is not allowed here") || !strings.Contains(said, "pulumi config set --secret tarot:databaseUrl") {
		t.Errorf("where it is, and how to go on, is not in: %s", said)
	}
}

// nothing is a Pulumi engine that no resource may be asked of.
type nothing struct{ t *testing.T }

func (n nothing) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	n.t.Errorf("calls %s", args.Token)
	return nil, nil
}

func (n nothing) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	n.t.Errorf("declares %s", args.Name)
	return "", args.Inputs, nil
}

func TestDeployNeedsAConfigurationAndAnEngineFirst(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	address := "tcp://" + closed.Addr().String()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("DOCKER_CONTEXT", "")
	t.Setenv("DOCKER_HOST", address)
	for _, test := range []struct{ name, environment, want string }{
		{"no engine", "", "no answer at " + address},
		{"bad configuration, and no engine", `{"tarot:replica":"1"}`, "tarot:replica: there is no such key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(pulumi.EnvConfig, test.environment)
			err := pulumi.RunErr(new(update).run, pulumi.WithMocks("tarot", "dev", nothing{t}))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
