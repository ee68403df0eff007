package grafana

import (
	_ "embed"
	"strconv"
)

// Start is the command, for `/bin/sh -c`, of a container with the files in
// /run/config, a tmpfs at /tmp and the data at /var/lib/grafana. The password of
// the user admin is in the file that GF_SECURITY_ADMIN_PASSWORD__FILE names.
//
//go:embed start.sh
var Start string

// EnvironmentConfig is what the environment depends on.
type EnvironmentConfig struct {
	// RootURL is where people find Grafana, with the path and a slash at the end.
	RootURL string
	// SubPath: what is in front leaves the path of RootURL in the requests.
	SubPath bool
	// TLS: people come with HTTPS.
	TLS bool
}

// Environment returns Grafana's settings: GF_<SECTION>_<KEY> of its defaults.ini.
func Environment(c EnvironmentConfig) map[string]string {
	return map[string]string{
		"GF_SERVER_ROOT_URL":            c.RootURL,
		"GF_SERVER_SERVE_FROM_SUB_PATH": strconv.FormatBool(c.SubPath),
		"GF_PATHS_DATA":                 "/var/lib/grafana",
		"GF_PATHS_PROVISIONING":         "/tmp/provisioning",
		"GF_LOG_MODE":                   "console",
		"GF_LOG_CONSOLE_FORMAT":         "json",

		"GF_USERS_HOME_PAGE":                    "/d/platform-overview",
		"GF_DASHBOARDS_MIN_REFRESH_INTERVAL":    "10s",
		"GF_UNIFIED_ALERTING_EXECUTE_ALERTS":    "false", // alerts are Prometheus'; the pages show those, and silences
		"GF_SECURITY_COOKIE_SECURE":             strconv.FormatBool(c.TLS),
		"GF_AUTH_ANONYMOUS_ENABLED":             "false",
		"GF_USERS_ALLOW_SIGN_UP":                "false",
		"GF_USERS_ALLOW_ORG_CREATE":             "false",
		"GF_PUBLIC_DASHBOARDS_ENABLED":          "false",
		"GF_SNAPSHOTS_ENABLED":                  "false", // they are shown to anybody who has the link
		"GF_SNAPSHOTS_EXTERNAL_ENABLED":         "false",
		"GF_METRICS_ENABLED":                    "false", // they need no password, and nginx would show them
		"GF_SECURITY_DISABLE_GRAVATAR":          "true",
		"GF_NEWS_NEWS_FEED_ENABLED":             "false",
		"GF_ANALYTICS_REPORTING_ENABLED":        "false",
		"GF_ANALYTICS_CHECK_FOR_UPDATES":        "false",
		"GF_ANALYTICS_FEEDBACK_LINKS_ENABLED":   "false",
		"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",

		// Grafana would get plugins from the internet at each start, and wait for it.
		"GF_PLUGINS_PREINSTALL_DISABLED":           "true",
		"GF_PLUGINS_PLUGIN_ADMIN_ENABLED":          "false",
		"GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
	}
}
