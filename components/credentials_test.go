package components

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// texts calls visit with every string in a value, as it is and, where it is
// base64, as what it says. sealed: it is marked as secret.
func texts(value any, isSealed bool, visit func(text string, isSealed bool)) {
	switch value := value.(type) {
	case sealed:
		texts(value.value, true, visit)
	case []any:
		for _, v := range value {
			texts(v, isSealed, visit)
		}
	case map[string]any:
		for _, v := range value {
			texts(v, isSealed, visit)
		}
	case string:
		visit(value, isSealed)
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil {
			visit(string(decoded), isSealed)
		}
	}
}

func TestSecretsAreNowhereInTheClear(t *testing.T) {
	const key, certificate = "PRIVATE KEY", "BEGIN CERTIFICATE"
	for name, values := range map[string][]string{
		"dev":                   {generated("credentials-jwt-secret-key"), generated("credentials-admin-password")},
		"prod":                  {generated("credentials-jwt-secret-key"), generated("credentials-admin-password"), key, certificate},
		"prod as containers":    {generated("credentials-jwt-secret-key"), generated("credentials-admin-password"), key, certificate},
		"prod with own secrets": {ownKey, "own-password", "own-api-key", "own-word", key, certificate},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := succeed(t, stack(t, name), up)
			found := map[string]int{}
			for _, x := range r.all {
				texts(x.In, false, func(text string, isSealed bool) {
					for _, value := range values {
						if !strings.Contains(text, value) {
							continue
						}
						found[value]++
						if !isSealed {
							t.Errorf("%s %s has %q in the clear", x.Type, x.Name, value)
						}
						kind := x.Type[strings.LastIndex(x.Type, ":")+1:]
						holders := []string{"tarot-test-backend-files", "tarot-test-migrate", "tarot-test-nginx-configuration"}
						if kind != "Secret" && !slices.Contains(holders, x.Name) {
							t.Errorf("%s %s has %q", x.Type, x.Name, value)
						}
					}
				})
			}
			for _, value := range values {
				if found[value] == 0 {
					t.Errorf("%q reaches no container", value)
				}
			}
			for output, out := range r.outputs {
				text, _ := out.Value.(string)
				for _, value := range values {
					if strings.Contains(text, value) && (output != "adminPassword" || !out.Secret) {
						t.Errorf("the output %s is %q", output, text)
					}
				}
			}
		})
	}
}

func TestContentHashesOfSecretsAreSecret(t *testing.T) {
	inProject(t)
	for _, x := range succeed(t, stack(t, "prod as containers"), up).find("RandomId") {
		if _, ok := x.In["keepers"].(map[string]any)["content"].(sealed); !ok {
			t.Errorf("%s tells the hash of a password: %v", x.Name, x.In)
		}
	}
}

func TestSecretsAreFoundByVariablesThatNameFiles(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod with own secrets")
	asContainers(&cfg)
	r := succeed(t, cfg, up)
	backend := r.get(t, "Container", "tarot-test-backend-1")
	seed := r.get(t, "Container", "tarot-test-backend-files")
	for i, want := range []struct{ variable, file, value string }{
		{"JWT_SECRET_KEY_FILE", "/run/secrets/jwt_secret_key", ownKey},
		{"ADMIN_PASSWORD_FILE", "/run/secrets/admin_password", "own-password"},
		{"DATABASE_URL_FILE", "/run/secrets/database_url", "postgresql://tarot:own-word@db.example/tarot"},
		{"API_KEY_FILE", "/run/secrets/api_key", "own-api-key"},
	} {
		found := false
		for _, env := range backend.list("envs") {
			found = found || env == want.variable+"="+want.file
		}
		upload := seed.list("uploads")[1+i] // after the environment
		if content, _ := at(upload, "content").(sealed); !found || at(upload, "file") != want.file || content.value != want.value {
			t.Errorf("%s: %v, uploaded %v", want.variable, backend.list("envs"), upload)
		}
	}
	folder := false
	for _, m := range backend.list("mounts") {
		folder = folder || at(m, "target") == "/run/secrets" && at(m, "readOnly") == true &&
			at(m, "source") == "tarot-test-backend-files-secrets-0a1b2c3d"
	}
	if !folder {
		t.Errorf("the files are not mounted: %v", backend.list("mounts"))
	}
}

func TestSwarmSecretsBelongToTheWorkloadsUserAndTellNothingByTheirName(t *testing.T) {
	inProject(t)
	r := succeed(t, stack(t, "prod"), up)
	for service, user := range map[string]string{"tarot-test-backend": "10001", "tarot-test-backend-candidate": "10001"} {
		secrets, _ := r.get(t, "Service", service).at("taskSpec", "containerSpec", "secrets").([]any)
		if len(secrets) != 2 {
			t.Fatalf("%s: secrets %v", service, secrets)
		}
		for _, s := range secrets {
			if at(s, "fileUid") != user || at(s, "fileGid") != user || at(s, "fileMode") != float64(0o400) {
				t.Errorf("%s: %v", service, s)
			}
		}
	}
	for _, x := range r.find("Secret") {
		if x.at("name") != nil || x.RPC.GetDeleteBeforeReplace() {
			t.Errorf("%s can not be changed while it is in use: %v", x.Name, x.In)
		}
	}
}

func TestGeneratedSecretsAreLongEnough(t *testing.T) {
	forEveryStack(t, func(t *testing.T, _ config.Config, r *run) {
		for name, length := range map[string]float64{"credentials-jwt-secret-key": 64, "credentials-admin-password": 24} {
			if got := r.get(t, "RandomPassword", name); got.at("length") != length || got.at("special") != false {
				t.Errorf("%s: %v", name, got.In)
			}
		}
	})
}

func TestOwnSecretsGoBeforeGeneratedOnes(t *testing.T) {
	inProject(t)
	if got := succeed(t, stack(t, "prod with own secrets"), up).outputs["adminPassword"]; got.Value != "own-password" || !got.Secret {
		t.Errorf("own: %v", got)
	}
	if got := succeed(t, stack(t, "prod"), up).outputs["adminPassword"]; got.Value != generated("credentials-admin-password") || !got.Secret {
		t.Errorf("generated: %v", got)
	}
}

// A rotated secret has to reach the containers: they see the volume of the
// content that they were started with.
func TestAnotherSecretIsAnotherKeeper(t *testing.T) {
	inProject(t)
	keeper := func(password string) any {
		cfg := stack(t, "dev")
		cfg.Secrets = map[string]string{"adminPassword": "password " + password}
		return succeed(t, cfg, up).get(t, "RandomId", "tarot-test-backend-files").at("keepers", "content")
	}
	if one := keeper("one"); one == keeper("two") || one != keeper("one") {
		t.Error("the keeper does not follow the content")
	}
}

// Another version is another value, and the first one has no keepers: a stack
// that is older than this key keeps its secrets.
func TestSecretVersions(t *testing.T) {
	inProject(t)
	cfg := stack(t, "prod", func(c *config.Config) { c.SecretVersions.AdminPassword = 2 })
	r := succeed(t, cfg, up)
	if got := r.get(t, "RandomPassword", "credentials-admin-password").at("keepers", "version"); got != "2" {
		t.Errorf("keepers %v", got)
	}
	if got := r.get(t, "RandomPassword", "credentials-jwt-secret-key").at("keepers"); got != nil {
		t.Errorf("keepers %v", got)
	}
}
