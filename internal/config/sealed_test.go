package config

import (
	"reflect"
	"strings"
	"testing"
)

// Wherever a secret is put inside the tree, it is refused, with the way to give it.
func TestASecretInsideTheTreeIsRefusedWithTheWay(t *testing.T) {
	for path, want := range map[string]string{
		"backend.environment.API_KEY":              "backend.secretEnvironment",
		"backend.databaseUrl":                      "tarot:databaseUrl",
		"services.worker.environment.API_KEY":      "a service's",
		"services.worker.command[1]":               "a service's",
		"schedules.nightly.command[2]":             "a schedule has the secrets of",
		"build.args.TOKEN":                         "build.secrets",
		"database.external.password":               "tarot:databaseUrl",
		"cache.password":                           "tarot:cachePassword",
		"backup.accessKey":                         "tarot:backupSecret",
		"monitoring.alerts.email.password":         "tarot:alertWebhookUrl`, or alertWecomUrl, alertDingtalkUrl, alertFeishuUrl or alertEmailPassword",
		"monitoring.grafana.password":              "tarot:grafanaPassword",
		"nginx.tls.acme.eab":                       "tarot:acmeDnsToken",
		"nginx.tls.key":                            "tarot:tlsCertificate`, and tlsKey",
		"routes.api.host":                          "nothing in it is a secret",
		"volumes.driverOptions.password":           "nothing in it is a secret",
		`networks["backendSubnet"]`:                "nothing in it is a secret",
		"sites.shop.host":                          "nothing in it is a secret",
		"backendX.environment":                     "nothing in it is a secret",
		"monitoring.alerts.email.to[0]":            "tarot:alertWebhookUrl",
		"nginx.serverNames[0]":                     "tarot:tlsCertificate",
		"backend.secretEnvironmentOfAnotherLength": "a secret of the application's",
	} {
		key, _, _ := strings.Cut(path, ".")
		key, _, _ = strings.Cut(key, "[")
		if IsSecret(key) { // there is no such key
			continue
		}
		full := Namespace + ":" + path
		err := RefuseSealed([]string{Namespace + ":" + key}, []string{full})
		if err == nil {
			t.Errorf("%s is not refused", path)
			continue
		}
		for _, words := range []string{want, full + ": a secret is not allowed here", "pulumi config rm --path '" + full + "'"} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v, without %q", path, err, words)
			}
		}
	}
	if err := RefuseSealed([]string{Namespace + ":adminPassword"}, []string{Namespace + ":adminPassword"}); err != nil {
		t.Errorf("a secret in its place: %v", err)
	}
}

// No key that is no secret of its own lets one in.
func TestEveryKeyOfTheTreeRefusesSecrets(t *testing.T) {
	for _, key := range keys(reflect.TypeFor[Config]()) {
		// As one value, and where the stack file does not say where in it.
		if err := RefuseSealed([]string{Namespace + ":" + key}, nil); err == nil || !strings.Contains(err.Error(), Namespace+":"+key+": a secret is not allowed here") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
