package components

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
)

// A database's URL with a password is a variable of the process, and of nothing that
// the engine tells.
func TestASecretDatabaseURLIsReadWhereTheProcessStarts(t *testing.T) {
	const (
		reads = "DATABASE_URL=$(cat '/run/secrets/database_url') && export DATABASE_URL || return 1\n"
		load  = `. /run/config/environment && exec "$@"`
	)
	check := func(t *testing.T, what string, got any, want ...any) {
		t.Helper()
		if list, _ := got.([]any); !slices.Equal(list, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	t.Run("containers", func(t *testing.T) {
		inProject(t)
		cfg := stack(t, "prod with own secrets")
		asContainers(&cfg)
		r := succeed(t, cfg, up)
		backend := r.get(t, "Container", "tarot-test-backend-1")
		check(t, "start", backend.at("entrypoints"), "/bin/sh", "-c", load, "backend")
		check(t, "command", backend.at("command"), "/start", "it")
		if tests := backend.list("healthcheck", "tests"); !loadsEnvironment(tests) {
			t.Errorf("health: %v", tests)
		}
		migrate := r.get(t, "Container", "tarot-test-migrate")
		check(t, "migration", migrate.at("entrypoints"), "/bin/sh", "-c", load, "migrate", "./migrate")
		for _, x := range []registration{migrate, r.get(t, "Container", "tarot-test-backend-files")} {
			if first := x.list("uploads")[0]; at(first, "file") != "/run/config/environment" || !strings.HasSuffix(fmt.Sprint(at(first, "content")), reads) {
				t.Errorf("%s: %v", x.Name, first)
			}
		}
		for _, x := range []registration{migrate, backend} {
			if slices.ContainsFunc(x.list("envs"), func(v any) bool { return strings.HasPrefix(v.(string), "DATABASE_URL=") }) {
				t.Errorf("%s: %v", x.Name, x.list("envs"))
			}
		}
		if !slices.Contains(backend.list("envs"), any("ENV=/run/config/environment")) {
			t.Errorf("a shell does not find it: %v", backend.list("envs"))
		}
	})
	t.Run("swarm", func(t *testing.T) {
		inProject(t)
		r := succeed(t, stack(t, "prod with own secrets"), up)
		encoded, _ := r.get(t, "ServiceConfig", "tarot-test-backend-environment").at("data").(string)
		script, _ := base64.StdEncoding.DecodeString(encoded)
		if !strings.HasSuffix(string(script), reads) || strings.Contains(string(script), "export DATABASE_URL=") {
			t.Errorf("%s", script)
		}
		for _, name := range []string{"tarot-test-backend", "tarot-test-backend-candidate"} {
			if tests := r.get(t, "Service", name).list("taskSpec", "containerSpec", "healthcheck", "tests"); !loadsEnvironment(tests) {
				t.Errorf("health of %s: %v", name, tests)
			}
		}
	})
}

// What the engine runs in a task, a health check or a shell, has only the variables
// that the engine knows: the check loads the others, and so does a shell.
func TestSwarmsHealthCheckHasTheEnvironment(t *testing.T) {
	inProject(t)
	for own, want := range map[string]any{"": "/run/config/environment", "ENV=production": nil} {
		docker := &fakeEngine{}
		if own != "" {
			docker.environment = []string{"PATH=/bin", own}
		}
		r := deploy(stack(t, "prod"), &recorder{stage: up}, docker)
		if r.err != nil {
			t.Fatal(r.err)
		}
		spec := r.get(t, "Service", "tarot-test-backend").at("taskSpec", "containerSpec")
		if got := at(spec, "env", "ENV"); got != want {
			t.Errorf("image with %q: ENV is %v", own, got)
		}
		if tests, _ := at(spec, "healthcheck", "tests").([]any); !loadsEnvironment(tests) {
			t.Errorf("health check %v", tests)
		}
		// nginx has no variables, and nothing to load.
		if tests := r.get(t, "Service", "tarot-test-nginx").list("taskSpec", "containerSpec", "healthcheck", "tests"); loadsEnvironment(tests) {
			t.Errorf("nginx's check %v", tests)
		}
	}
}

func TestOwnValuesGoBeforeThePlatforms(t *testing.T) {
	inProject(t)
	own := func(c *config.Config) {
		c.Backend.Environment = map[string]string{"FORWARDED_ALLOW_IPS": "*", "LOG_LEVEL": "INFO"}
	}
	envs := succeed(t, stack(t, "prod as containers", own), up).get(t, "Container", "tarot-test-backend-1").list("envs")
	for _, want := range []string{"FORWARDED_ALLOW_IPS=*", "LOG_LEVEL=INFO", "WORKERS=4"} {
		if !slices.Contains(envs, any(want)) {
			t.Errorf("no %s in %v", want, envs)
		}
	}
	docker := &fakeEngine{failures: map[string]error{"tarot-test-backend-1": errors.New("Error: '10.213.1.0/24' does not appear to be an address")}}
	r := deploy(stack(t, "prod as containers"), &recorder{}, docker)
	if r.err == nil || !strings.Contains(r.err.Error(), "FORWARDED_ALLOW_IPS is \"10.213.1.0/24\" by tarot:networks.backendSubnet") {
		t.Error(r.err)
	}
}

// loadsEnvironment is true for a health check that begins with it.
func loadsEnvironment(tests []any) bool {
	if len(tests) < 4 {
		return false
	}
	script, _ := tests[3].(string)
	return strings.HasPrefix(script, ". /run/config/environment || exit 1\n")
}

func TestWhatTheUserHasNotSetIsNotSet(t *testing.T) {
	inProject(t)
	envs := func(change func(*config.Config)) string {
		r := succeed(t, stack(t, "prod as containers", change), up)
		return fmt.Sprint(r.get(t, "Container", "tarot-test-backend-1").list("envs"), r.get(t, "Container", "tarot-test-migrate").list("envs"),
			r.get(t, "Container", "tarot-test-backend-files").list("uploads"))
	}
	for _, name := range []string{"DEBUG=", "LOG_LEVEL="} {
		if said := envs(func(*config.Config) {}); strings.Contains(said, name) {
			t.Errorf("%s is in %s", name, said)
		}
	}
	if said := envs(func(c *config.Config) { c.Backend.Debug, c.Backend.LogLevel = true, "warning" }); !strings.Contains(said, "DEBUG=true ") || !strings.Contains(said, "LOG_LEVEL=warning ") {
		t.Error(said)
	}
	left := []string{"HOST", "WORKERS", "WEB_CONCURRENCY", "DATABASE_URL", "STATIC_URL", "RELEASE", "JWT_SECRET_KEY_FILE"}
	said := envs(func(c *config.Config) { c.Backend.Unset = left })
	for _, name := range append(left, "jwt_secret_key") {
		if strings.Contains(said, name+"=") || strings.Contains(said, "/"+name) {
			t.Errorf("%s is left out, and in %s", name, said)
		}
	}
	if !strings.Contains(said, "PORT=8000") || !strings.Contains(said, "ADMIN_PASSWORD_FILE=") {
		t.Error(said)
	}
}

// A variable that comes with a part can be left out as all others, and the documents list it.
func TestAllVariablesOfThePlatformAreKnown(t *testing.T) {
	inProject(t)
	listed, err := os.ReadFile(repository + "/docs/application.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*config.Config){func(*config.Config) {}, func(c *config.Config) { c.Secrets["databaseUrl"] = "postgresql://u:p@db/x" }} {
		cfg := stack(t, "dev", change, cached("cache"))
		cfg.Backend.LogLevel, cfg.Backend.Migrate = "info", []string{"x"}
		w := serviceOf(t, cfg, "backend")
		var names []string
		for name := range w.Environment {
			names = append(names, name)
		}
		for _, s := range w.Secrets {
			names = append(names, s.Variable, s.Export)
		}
		for _, name := range names {
			if name != "" && (!slices.Contains(config.PlatformVariables(), name) || !strings.Contains(string(listed), "`"+name+"`")) {
				t.Errorf("%s is not among those that can be left out, or not in docs/application.md", name)
			}
		}
	}
}

// By a file, by a variable, or by a name that is not ours: no secret is in what the engine tells.
func TestSecretsAsVariablesAreReadWhereTheProcessStarts(t *testing.T) {
	inProject(t)
	secrets := func(c *config.Config) {
		c.Backend.SecretEnvironment, c.Secrets["STRIPE_KEY"] = []string{"STRIPE_KEY"}, "sk-42"
		c.Backend.Aliases = map[string]string{"DJANGO_SECRET_KEY": "JWT_SECRET_KEY", "ADMIN_PASSWORD": "ADMIN_PASSWORD", "GUNICORN_PORT": "PORT", "BROKER": "REDIS_URL", "DSN": "DATABASE_URL"}
		c.Backend.Unset = []string{"DATABASE_URL", "REDIS_URL"}
	}
	values := map[string]string{"STRIPE_KEY": "sk-42", "DJANGO_SECRET_KEY": "generated-for-credentials-jwt-secret-key", "ADMIN_PASSWORD": "generated-for-credentials-admin-password",
		"BROKER": "redis://app:generated-for-credentials-cache-password@valkey:6379"}
	for _, name := range []string{"prod as containers", "prod"} {
		r := succeed(t, stack(t, name, cached("cache"), secrets), up)
		script, files, told := "", map[string]any{}, ""
		if name == "prod" {
			encoded, _ := r.get(t, "ServiceConfig", "tarot-test-backend-environment").at("data").(string)
			decoded, _ := base64.StdEncoding.DecodeString(encoded)
			script = string(decoded)
			for _, s := range r.find("Secret") {
				if file, mine := strings.CutPrefix(s.Name, "tarot-test-backend-"); mine {
					data, _ := base64.StdEncoding.DecodeString(s.at("data").(sealed).value.(string))
					files["/run/secrets/"+file] = string(data)
				}
			}
			told = fmt.Sprint(r.get(t, "Service", "tarot-test-backend").In, r.get(t, "Service", "tarot-test-backend-candidate").In)
		} else {
			for _, u := range r.get(t, "Container", "tarot-test-backend-files").list("uploads") {
				files[at(u, "file").(string)] = at(u, "content")
				if s, ok := at(u, "content").(sealed); ok {
					files[at(u, "file").(string)] = s.value
				}
			}
			script = fmt.Sprint(files["/run/config/environment"])
			told = fmt.Sprint(r.get(t, "Container", "tarot-test-backend-1").In)
		}
		for variable, value := range values {
			path := "/run/secrets/" + strings.ToLower(variable)
			if want := variable + "=$(cat '" + path + "') && export " + variable + " || return 1\n"; !strings.Contains(script, want) || files[path] != value {
				t.Errorf("%s: %s: %v, in %s", name, variable, files[path], script)
			}
			if strings.Contains(told, value) || strings.Contains(script, value) {
				t.Errorf("%s: %s can be read", name, variable)
			}
			if !strings.Contains(script, "export "+variable+"_FILE='"+path+"'") {
				t.Errorf("%s: no file of %s", name, variable)
			}
		}
		if strings.Contains(script, "export DATABASE_URL=") || strings.Contains(script, "export REDIS_URL") && strings.Contains(script, "REDIS_URL=$(") {
			t.Errorf("%s: what is left out is there: %s", name, script)
		}
		if !strings.Contains(script, "export DSN='sqlite:///./data/prod.db'\n") || !strings.Contains(script, "export GUNICORN_PORT='8000'\n") || !strings.Contains(script, "export PORT='8000'\n") {
			t.Errorf("%s: %s", name, script)
		}
	}
}
