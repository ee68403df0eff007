package grafana

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheEnvironmentFollowsTheAddress(t *testing.T) {
	for _, c := range []EnvironmentConfig{{RootURL: "https://site/grafana/", SubPath: true, TLS: true}, {RootURL: "http://127.0.0.1:3000/"}} {
		e := Environment(c)
		if e["GF_SERVER_ROOT_URL"] != c.RootURL || (e["GF_SERVER_SERVE_FROM_SUB_PATH"] == "true") != c.SubPath || (e["GF_SECURITY_COOKIE_SECURE"] == "true") != c.TLS {
			t.Errorf("%+v: %v", c, e)
		}
	}
}

// Nobody gets in without a password, and nothing gets out.
func TestGrafanaIsClosed(t *testing.T) {
	e := Environment(EnvironmentConfig{})
	for name, want := range map[string]string{
		"GF_AUTH_ANONYMOUS_ENABLED": "false", "GF_USERS_ALLOW_SIGN_UP": "false", "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false", "GF_PUBLIC_DASHBOARDS_ENABLED": "false",
		"GF_ANALYTICS_REPORTING_ENABLED": "false", "GF_ANALYTICS_CHECK_FOR_UPDATES": "false", "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
		"GF_NEWS_NEWS_FEED_ENABLED": "false", "GF_SECURITY_DISABLE_GRAVATAR": "true", "GF_PLUGINS_PREINSTALL_DISABLED": "true",
		"GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true", "GF_UNIFIED_ALERTING_EXECUTE_ALERTS": "false", "GF_LOG_MODE": "console", "GF_METRICS_ENABLED": "false",
	} {
		if e[name] != want {
			t.Errorf("%s=%q, want %q", name, e[name], want)
		}
	}
	for name := range e { // run.sh refuses a variable beside its __FILE, and the password is one
		if strings.Contains(name, "PASSWORD") {
			t.Errorf("%s is set", name)
		}
	}
}

// start runs the command with a grafana and a /run.sh that tell what they are given.
func start(t *testing.T, database bool, cli string) (output, folder string, err error) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range map[string]string{
		"bin/grafana":                        "#!/bin/sh\n" + cli,
		"run.sh":                             "#!/bin/sh\necho running with \"$#\" arguments\n",
		"run/config/datasources.yml":         "sources",
		"run/config/dashboards.yml":          "providers",
		"run/secrets/grafana_admin_password": `it's "$secret"`,
		"tmp/x":                              "",
	} {
		write(t, filepath.Join(folder, name), text)
	}
	if database {
		write(t, filepath.Join(folder, "data/grafana.db"), "")
	}
	script := strings.NewReplacer(" /run/config/", " "+folder+"/run/config/", "cd /tmp", "cd "+folder+"/tmp", "exec /run.sh", "exec "+folder+"/run.sh").Replace(Start)
	command := exec.Command("/bin/sh", "-c", script)
	command.Env = []string{
		"PATH=" + folder + "/bin:" + os.Getenv("PATH"), "GF_PATHS_DATA=" + folder + "/data", "GF_PATHS_HOME=/home", "GF_PATHS_CONFIG=/etc/grafana.ini",
		"GF_SECURITY_ADMIN_PASSWORD__FILE=" + folder + "/run/secrets/grafana_admin_password", "OUT=" + folder,
	}
	text, err := command.CombinedOutput()
	return string(text), folder, err
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil { //nolint:gosec // they are run
		t.Fatal(err)
	}
}

const heard = "echo \"$@\" >\"$OUT/arguments\"; cat >\"$OUT/password\"\n"

func TestStartLaysTheFilesOut(t *testing.T) {
	output, folder, err := start(t, false, heard)
	if err != nil || output != "running with 0 arguments\n" {
		t.Fatalf("%v: %s", err, output)
	}
	for name, want := range map[string]string{"datasources/datasources.yml": "sources", "dashboards/dashboards.yml": "providers"} {
		if text, err := os.ReadFile(filepath.Join(folder, "tmp/provisioning", name)); string(text) != want {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "arguments")); err == nil {
		t.Error("Grafana makes the database with the password, and was asked to change it")
	}
}

func TestStartSetsThePasswordOfADatabaseThatIsThere(t *testing.T) {
	output, folder, err := start(t, true, heard)
	if err != nil || output != "running with 0 arguments\n" {
		t.Fatalf("%v: %s", err, output)
	}
	password, _ := os.ReadFile(filepath.Join(folder, "password"))
	arguments, _ := os.ReadFile(filepath.Join(folder, "arguments"))
	if string(password) != `it's "$secret"` || string(arguments) != "cli --homepath /home --config /etc/grafana.ini admin reset-admin-password --password-from-stdin\n" {
		t.Errorf("%q to %s", password, arguments)
	}
}

func TestStartFailsWhereThePasswordCanNotBeSet(t *testing.T) {
	output, _, err := start(t, true, "echo no such user; exit 3\n")
	if err == nil || strings.Contains(output, "running") || !strings.Contains(output, "no such user") || !strings.Contains(output, "Grafana is not started") {
		t.Errorf("%v: %s", err, output)
	}
}
