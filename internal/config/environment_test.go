package config

import (
	"strings"
	"testing"
)

func TestEveryVariableOfThePlatformIsTheUsersOrNamesItsKey(t *testing.T) {
	for name, want := range map[string]string{
		"FORWARDED_ALLOW_IPS": "", "LOG_LEVEL": "", "WORKERS": "", "WEB_CONCURRENCY": "", "DEBUG": "", "GRACEFUL_TIMEOUT": "", "RELEASE": "", "OTHER": "",
		"HOST": "", "DEBUGGER_PORT": "", "STATIC_DIR": "", "STATIC_URL": "", "MIGRATE_ON_START": "",
		"PORT":                "PORT is set by tarot:backend.port",
		"DATABASE_URL":        "DATABASE_URL is set by tarot:backend.databaseUrl, by the secret tarot:databaseUrl where it has a password, or by tarot:database.kind postgres",
		"DATABASE_URL_FILE":   "DATABASE_URL_FILE is set by the secret tarot:databaseUrl",
		"JWT_SECRET_KEY_FILE": "JWT_SECRET_KEY_FILE is set by the secret tarot:jwtSecretKey",
		"ADMIN_PASSWORD_FILE": "ADMIN_PASSWORD_FILE is set by the secret tarot:adminPassword",
	} {
		c := &checker{}
		Backend{Environment: map[string]string{name: "x"}}.checkEnvironment(c)
		err := c.err()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), "("+want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	c := &checker{}
	Backend{Secrets: []string{"DATABASE_URL"}}.checkEnvironment(c)
	if err := c.err(); err == nil || !strings.Contains(err.Error(), "(DATABASE_URL_FILE is set by the secret tarot:databaseUrl)") {
		t.Error(err)
	}
}

func TestWhatIsLeftOutIsThePlatforms(t *testing.T) {
	for _, test := range []struct {
		backend Backend
		want    string
	}{
		{Backend{Unset: []string{"PORT", "HOST", "DATABASE_URL", "JWT_SECRET_KEY_FILE", "REDIS_URL"}}, ""},
		{Backend{Unset: []string{"PATH"}}, `tarot:backend.unset: "PATH" is not allowed; allowed: a list of variables that the platform sets, and backend.environment does not (these are ADMIN_PASSWORD_FILE, `},
		{Backend{Unset: []string{"HOST"}, Environment: map[string]string{"HOST": "db"}}, `tarot:backend.unset: "HOST" is not allowed; allowed: a list of variables that the platform sets, and backend.environment does not (backend.environment sets it)`},
		{Backend{Secrets: []string{"API_KEY"}, Environment: map[string]string{"API_KEY": "x"}}, `tarot:backend.environment: "API_KEY" is not allowed`},
		{Backend{SecretEnvironment: []string{"API_KEY", "OTHER"}, Aliases: map[string]string{"SECRET_KEY": "JWT_SECRET_KEY", "ADMIN_PASSWORD": "ADMIN_PASSWORD", "DB": "DATABASE_URL", "BROKER": "REDIS_URL", "N": "WORKERS"}}, ""},
		{Backend{SecretEnvironment: []string{"API_KEY"}, Environment: map[string]string{"API_KEY": "x"}}, `tarot:backend.environment: "API_KEY" is not allowed`},
		{Backend{Secrets: []string{"API_KEY"}, SecretEnvironment: []string{"API_KEY"}}, `tarot:backend.secretEnvironment: "API_KEY" is not allowed; allowed: a list of variable names, upper case, none of backend.secrets (it is listed already`},
		{Backend{SecretEnvironment: []string{"DATABASE_URL"}}, `tarot:backend.secretEnvironment: "DATABASE_URL" is not allowed`},
		{Backend{SecretEnvironment: []string{"lower"}}, `tarot:backend.secretEnvironment: "lower" is not allowed`},
		{Backend{Aliases: map[string]string{"A": "PATH"}}, `tarot:backend.aliases: "A: PATH" is not allowed; allowed: a map of variable names, upper case, to variables that the platform sets, JWT_SECRET_KEY or ADMIN_PASSWORD (these are `},
		{Backend{Aliases: map[string]string{"A": "JWT_SECRET_KEY_FILE"}}, `tarot:backend.aliases: "A: JWT_SECRET_KEY_FILE" is not allowed`},
		{Backend{Aliases: map[string]string{"a b": "PORT"}}, `tarot:backend.aliases: "a b" is not allowed`},
		{Backend{Aliases: map[string]string{"WORKERS": "PORT"}}, `tarot:backend.aliases: "WORKERS: PORT" is not allowed`},
		{Backend{Aliases: map[string]string{"JWT_SECRET_KEY": "ADMIN_PASSWORD"}}, `tarot:backend.aliases: "JWT_SECRET_KEY: ADMIN_PASSWORD" is not allowed`},
		{Backend{Aliases: map[string]string{"A": "PORT"}, Environment: map[string]string{"A": "1"}}, `tarot:backend.aliases: "A: PORT" is not allowed`},
		{Backend{Aliases: map[string]string{"A": "PORT"}, Secrets: []string{"A"}}, `tarot:backend.aliases: "A: PORT" is not allowed`},
		{Backend{Secrets: []string{"API_KEY"}, Environment: map[string]string{"API_KEY_FILE": "x"}}, `tarot:backend.environment: "API_KEY_FILE" is not allowed`},
	} {
		c := &checker{}
		test.backend.checkEnvironment(c)
		if err := c.err(); test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%+v: %v", test.backend, err)
		}
	}
}

func TestAnApplicationsComplaintOfAVariableNamesItsKey(t *testing.T) {
	environment := map[string]string{"FORWARDED_ALLOW_IPS": "10.213.1.0/24", "LOG_LEVEL": "info", "WORKERS": "4", "WEB_CONCURRENCY": "4", "DEBUG": "true", "GRACEFUL_TIMEOUT": "30", "RELEASE": "app:1", "PORT": "8000",
		"HOST": "0.0.0.0", "STATIC_URL": "/static/r/0123456789abcdef", "STATIC_DIR": "/app/static/r/0123456789abcdef", "MIGRATE_ON_START": "false"}
	for _, test := range []struct {
		text, want string
	}{
		{"Error: '10.213.1.0/24' does not appear to be an IPv4 or IPv6 address", "FORWARDED_ALLOW_IPS"},
		{"bad address 10.213.1.0/24", "FORWARDED_ALLOW_IPS"},
		{"ValueError: Unknown level: 'info'", "LOG_LEVEL"},
		{"LOG_LEVEL is not one of DEBUG, INFO", "LOG_LEVEL"},
		{"WORKERS=4: allowed is 1", "WORKERS"},
		{"WARNING:  You must pass the application as an import string to enable 'reload' or 'workers'.", "WEB_CONCURRENCY"},
		{"GET /static/r/0123456789abcdef/app.css MIGRATE_ON_START on 0.0.0.0", ""},
		{`{"level": "info", "message": "DEBUG is off, 4 WORKERS, 30 s, PORT 8000, app:1"}`, ""},
		{"ModuleNotFoundError: No module named 'app'", ""},
	} {
		got := Backend{}.Mentioned(test.text, environment)
		if name, _, _ := strings.Cut(got, " "); name != test.want {
			t.Errorf("%s: %q", test.text, got)
		}
	}
	const want = `FORWARDED_ALLOW_IPS is "10.213.1.0/24" by tarot:networks.backendSubnet; another value for the application alone: ` +
		"pulumi config set --path 'tarot:backend.environment.FORWARDED_ALLOW_IPS' VALUE"
	if got := (Backend{}).Mentioned("FORWARDED_ALLOW_IPS", environment); got != want {
		t.Errorf("%s", got)
	}
	own := Backend{Environment: map[string]string{"FORWARDED_ALLOW_IPS": "10.213.1.0/24"}}
	if got := own.Mentioned("FORWARDED_ALLOW_IPS", environment); got != "" {
		t.Errorf("the user's own value: %s", got)
	}
}
