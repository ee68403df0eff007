package components

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/golden"
)

// graphs are the configurations whose resources are in testdata/graph. What a stack's
// state knows is in there: a line that changes is a resource that an `up` changes,
// replaces, or (where a name or a parent changes without an alias) makes anew.
var graphs = map[string]struct {
	stack   string
	changes []func(*config.Config)
	pinned  bool
}{
	"dev":                    {stack: "dev"},
	"dev-behind-nginx":       {stack: "dev behind nginx"},
	"dev-watched":            {stack: "dev, watched"},
	"prod":                   {stack: "prod"},
	"prod-without-grafana":   {stack: "prod, watched", changes: []func(*config.Config){func(c *config.Config) { c.Monitoring.Grafana.Enabled = false }}},
	"prod-own-secrets":       {stack: "prod with own secrets", changes: []func(*config.Config){watched, toldAndRotated}},
	"prod-maintenance":       {stack: "prod, watched", changes: []func(*config.Config){func(c *config.Config) { c.Maintenance = true }}},
	"prod-pinned":            {stack: "prod", pinned: true},
	"prod-one-network":       {stack: "prod, watched", changes: []func(*config.Config){func(c *config.Config) { c.Networks.Isolated = false }}},
	"containers":             {stack: "prod as containers"},
	"containers-own-secrets": {stack: "prod with own secrets", changes: []func(*config.Config){asContainers, watched, toldAndRotated, func(c *config.Config) { c.Networks.BackendEgress = true }}},
	"prod-cached":            {stack: "prod, watched", changes: []func(*config.Config){cached("queue")}},
	"containers-cached":      {stack: "containers, watched", changes: []func(*config.Config){cached("cache")}},
	"swarm-postgres":         {stack: "prod, watched", changes: []func(*config.Config){onPostgres}},
	"containers-postgres":    {stack: "prod as containers", changes: []func(*config.Config){onPostgres, backedUp, func(c *config.Config) { c.Database.Version = 17 }}},
	"swarm-pooled":           {stack: "prod, watched", changes: []func(*config.Config){onPostgres, pooled}},
	"containers-pooled":      {stack: "prod as containers", changes: []func(*config.Config){onPostgres, pooled, withSchedules}},
	"swarm-backup":           {stack: "prod, watched", changes: []func(*config.Config){backedUp}},
	"containers-backup":      {stack: "containers, watched", changes: []func(*config.Config){backedUp, cached("queue"), toAServer}},
	"prod-services":          {stack: "prod, watched", changes: []func(*config.Config){withServices}},
	"containers-services":    {stack: "containers, watched", changes: []func(*config.Config){withServices}},
	"prod-schedules":         {stack: "prod, watched", changes: []func(*config.Config){withServices, withSchedules}},
	"containers-schedules":   {stack: "prod as containers", changes: []func(*config.Config){withSchedules}},
	"prod-edge":              {stack: "prod", changes: []func(*config.Config){asEdge}},
	"containers-edge":        {stack: "prod as containers", changes: []func(*config.Config){asEdge}},
	"prod-behind-edge":       {stack: "prod", changes: []func(*config.Config){behindEdge}},
	"containers-behind-edge": {stack: "prod as containers", changes: []func(*config.Config){behindEdge}},
	"containers-external":    {stack: "prod as containers", changes: []func(*config.Config){onExternal}},
	"prod-acme":              {stack: "prod, watched", changes: []func(*config.Config){certified}},
	"containers-acme":        {stack: "prod as containers", changes: []func(*config.Config){certified}},
	"containers-pinned":      {stack: "prod as containers", pinned: true},
	"containers-without-tls": {stack: "prod as containers", changes: []func(*config.Config){func(c *config.Config) {
		c.Nginx.TLS.Mode, c.Volumes.Static, c.Volumes.Logs, c.Volumes.Retain = "off", "", "", false
	}}},
}

// backedUp has backups, in a volume.
func backedUp(c *config.Config) { c.Backup.Enabled = true }

// certified has its certificate from a CA.
func certified(c *config.Config) {
	c.Nginx.ServerNames, c.Nginx.TLS.Mode = []string{"Tarot.example"}, "acme"
	c.Nginx.TLS.ACME.CA, c.Nginx.TLS.ACME.EAB = []string{"letsencrypt", "litessl"}, "litessl"
	c.Secrets[config.ACMEKeyIDSecret], c.Secrets[config.ACMEHmacSecret] = "own-id-of-the-account", "own-key-of-the-account"
}

// onPostgres has a PostgreSQL.
func onPostgres(c *config.Config) { c.Database.Kind = config.Postgres }

// pooled has a pooler before it.
func pooled(c *config.Config) { c.Database.Pooler.Enabled = true }

// onExternal has its data in somebody else's.
func onExternal(c *config.Config) {
	c.Database.Kind, c.Networks.BackendEgress = config.External, true
	c.Secrets[config.DatabaseURLSecret] = "postgresql://shop:word@db.example/orders"
}

// toAServer has them elsewhere.
func toAServer(c *config.Config) {
	c.Backup.Target, c.Backup.AccessKey = "s3://shop/backups", "AKIA"
	c.Secrets["backupSecret"], c.Secrets["backupKey"] = "own-secret-of-the-key", "own-key-of-the-backups"
}

// cached has a Valkey, of the profile.
func cached(profile string) func(*config.Config) {
	return func(c *config.Config) { c.Cache.Enabled, c.Cache.Profile = true, profile }
}

// toldAndRotated has somebody told of alerts, and passwords of a later generation.
func toldAndRotated(c *config.Config) {
	c.Secrets["alertWebhookUrl"], c.Secrets["grafanaPassword"] = "https://robot.example/send", "own-grafana-password"
	c.SecretVersions.AdminPassword, c.SecretVersions.JWTSecretKey = 2, 1
}

func TestTheGraphOfResources(t *testing.T) {
	for name, test := range graphs {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			r := deployAs(stack(t, test.stack, test.changes...), &recorder{}, &fakeEngine{networks: edges}, test.pinned)
			if r.err != nil {
				t.Fatal(r.err)
			}
			golden.Check(t, filepath.Join(repository, "components/testdata/graph", name+".txt"), graph(t, r))
		})
	}
}

// long is what a golden file has only the hash of.
const long = 120

// graph writes all that the program asks Pulumi for, a resource a paragraph.
func graph(t *testing.T, r *run) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	// A certificate is renewed with the year, and nginx's configuration named by it. What the facts are
	// made of is another name with each new key.
	replace := []string{folder, "PROJECT", engine.Who(), "WHO"}
	for _, x := range r.find("Container") {
		if words := x.list("entrypoints"); strings.HasSuffix(x.Name, "-monitoring-facts") {
			replace = append(replace, fmt.Sprint(words[len(words)-1]), "MADE")
		}
		for _, upload := range x.list("uploads") {
			if name, _ := at(upload, "content").(string); at(upload, "file") == "/run/config/name" {
				replace = append(replace, name, "NGINX")
			}
		}
	}
	stable := strings.NewReplacer(replace...)
	var text strings.Builder
	for _, x := range r.all {
		_, parent, _ := strings.Cut(x.RPC.GetParent(), "::tarot::")
		fmt.Fprintf(&text, "%s %s\n  in %s\n", x.Type, x.Name, parent)
		written := map[string]any{}
		for key, value := range x.In {
			written[key] = readable(value, stable)
		}
		for _, key := range slices.Sorted(maps.Keys(written)) {
			line, err := json.Marshal(written[key])
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&text, "  %s %s\n", key, line)
		}
		option := func(name string, values ...string) {
			if len(values) > 0 {
				fmt.Fprintf(&text, "  # %s: %s\n", name, strings.Join(values, ", "))
			}
		}
		option("dependsOn", short(x.RPC.GetDependencies())...)
		for _, key := range slices.Sorted(maps.Keys(x.RPC.GetPropertyDependencies())) {
			option("of "+key, short(x.RPC.GetPropertyDependencies()[key].GetUrns())...)
		}
		option("aliases", aliases(x)...)
		option("ignoreChanges", x.RPC.GetIgnoreChanges()...)
		option("replaceOnChanges", x.RPC.GetReplaceOnChanges()...)
		option("secret outputs", x.RPC.GetAdditionalSecretOutputs()...)
		for name, set := range map[string]bool{"retainOnDelete": x.RPC.GetRetainOnDelete(), "protect": x.RPC.GetProtect()} {
			if set {
				option(name, "true")
			}
		}
		if x.RPC.GetDeleteBeforeReplaceDefined() {
			option("deleteBeforeReplace", fmt.Sprint(x.RPC.GetDeleteBeforeReplace()))
		}
		option("on error", x.RPC.GetHooks().GetOnError()...)
	}
	return text.String()
}

func aliases(x registration) []string {
	var all []string
	for _, a := range x.RPC.GetAliases() {
		all = append(all, a.String())
	}
	return all
}

// short are URNs' types and names, in order.
func short(urns []string) []string {
	all := make([]string, len(urns))
	for i, urn := range urns {
		parts := strings.Split(urn, "::")
		types := strings.Split(parts[2], "$")
		all[i] = types[len(types)-1] + "::" + parts[3]
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var pemBlock = regexp.MustCompile(`(?s)-----BEGIN.*-----END[^\n]*`)

// readable is a value as a golden file has it: what is long by its hash.
func readable(value any, stable *strings.Replacer) any {
	switch value := value.(type) {
	case sealed:
		return map[string]any{"secret": readable(value.value, stable)}
	case unknown:
		return "UNKNOWN"
	case []any:
		all := make([]any, len(value))
		for i, element := range value {
			all[i] = readable(element, stable)
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for key, member := range value {
			all[key] = readable(member, stable)
		}
		if content, certified := all["content"]; certified && strings.Contains(fmt.Sprint(all["file"]), "tls_") {
			if s, ok := content.(map[string]any); ok {
				s["secret"] = "of this year"
			}
		}
		return all
	case string:
		text := stable.Replace(pemBlock.ReplaceAllString(value, "PEM"))
		if len(text) > long {
			return fmt.Sprintf("%d bytes, %x", len(text), sha256.Sum256([]byte(text)))
		}
		return text
	}
	return value
}
