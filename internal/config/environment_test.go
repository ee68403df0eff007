package config

import (
	"strings"
	"testing"
)

func TestEveryVariableOfThePlatformIsTheUsersOrNamesItsKey(t *testing.T) {
	for name, want := range map[string]string{
		"FORWARDED_ALLOW_IPS": "", "LOG_LEVEL": "", "WORKERS": "", "DEBUG": "", "GRACEFUL_TIMEOUT": "", "RELEASE": "", "OTHER": "",
		"HOST":                "HOST is 0.0.0.0 always",
		"PORT":                "PORT is set by tarot:backend.port",
		"DATABASE_URL":        "DATABASE_URL is set by tarot:backend.databaseUrl, or by the secret tarot:databaseUrl where it has a password",
		"DATABASE_URL_FILE":   "DATABASE_URL_FILE is set by the secret tarot:databaseUrl",
		"DEBUGGER_PORT":       "DEBUGGER_PORT is set by tarot:backend.debuggerPort",
		"STATIC_DIR":          "STATIC_DIR is where the platform",
		"STATIC_URL":          "STATIC_URL is set by tarot:backend.paths.static",
		"MIGRATE_ON_START":    "MIGRATE_ON_START is set by tarot:backend.migrate",
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

func TestAnApplicationsComplaintOfAVariableNamesItsKey(t *testing.T) {
	environment := map[string]string{"FORWARDED_ALLOW_IPS": "10.213.1.0/24", "LOG_LEVEL": "info", "WORKERS": "4", "DEBUG": "false", "GRACEFUL_TIMEOUT": "30", "RELEASE": "app:1", "PORT": "8000"}
	for _, test := range []struct {
		text, want string
	}{
		{"Error: '10.213.1.0/24' does not appear to be an IPv4 or IPv6 address", "FORWARDED_ALLOW_IPS"},
		{"bad address 10.213.1.0/24", "FORWARDED_ALLOW_IPS"},
		{"ValueError: Unknown level: 'info'", "LOG_LEVEL"},
		{"LOG_LEVEL is not one of DEBUG, INFO", "LOG_LEVEL"},
		{"WORKERS=4: allowed is 1", "WORKERS"},
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
