package newstack

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tarot-platform/internal/config"
	"tarot-platform/internal/config/configtest"
)

// file is a committed stack file, with its configuration.
func file(t *testing.T, stack string) ([]byte, config.Config) {
	t.Helper()
	path := "../../Pulumi." + stack + ".yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text, decoded(t, path)
}

func decoded(t *testing.T, path string) config.Config {
	t.Helper()
	cfg, err := config.Decode(configtest.Raw(t, configtest.Tree(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// read is what a file that was made says.
func read(t *testing.T, text []byte) config.Config {
	t.Helper()
	path := t.TempDir() + "/Pulumi.new.yaml"
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return decoded(t, path)
}

func has(cfg config.Config) map[string]string {
	all := map[string]string{}
	for _, v := range slices.Concat(Subnets(cfg), Ports(cfg)) {
		if v.Text != "0" {
			all[v.Key] = v.Text
		}
	}
	for key, name := range map[string]string{"data": cfg.Volumes.Data, "uploads": cfg.Volumes.Uploads, "static": cfg.Volumes.Static, "logs": cfg.Volumes.Logs} {
		if name != "" {
			all["volumes."+key] = name
		}
	}
	for _, v := range cfg.Backend.FurtherVolumes() {
		if v.Engine != "" {
			all["backend.volumes."+v.Name] = v.Engine
		}
	}
	return all
}

// Each of several stacks, made one after the other, has what no other one has.
func TestNewStacksCollideWithNone(t *testing.T) {
	for _, from := range []string{"dev", "prod"} {
		taken, owner := &Taken{}, map[string]string{}
		claim := func(stack string, cfg config.Config) {
			for key, value := range has(cfg) {
				if other := owner[value]; other != "" {
					t.Errorf("from %s: %s of %s: %s is %s's", from, key, stack, value, other)
				}
				owner[value] = stack + "'s " + key
			}
			taken.Stack(cfg)
		}
		for _, committed := range []string{"dev", "prod"} {
			_, cfg := file(t, committed)
			for _, value := range has(cfg) { // which need not be different from each other: only one of both is up
				owner[value] = committed
			}
			taken.Stack(cfg)
		}
		text, cfg := file(t, from)
		for _, stack := range []string{"shop", "staging"} {
			made, changes, _, err := Make(text, cfg, Args{Project: "tarot", Stack: stack}, taken)
			if err != nil {
				t.Fatal(err)
			}
			claim(stack, read(t, made))
			if len(changes) < 6 {
				t.Errorf("from %s: told of %v", from, changes)
			}
			for _, c := range changes {
				if !strings.HasPrefix(c.Key, "tarot:") || c.Before == c.After {
					t.Errorf("told of %+v", c)
				}
			}
		}
	}
}

func TestNothingElseChanges(t *testing.T) {
	text, cfg := file(t, "prod")
	made, _, secrets, err := Make(text, cfg, Args{Project: "tarot", Stack: "shop"}, &Taken{})
	if err != nil || len(secrets) > 0 {
		t.Fatal(err, secrets)
	}
	before, after := strings.Split(string(text), "\n"), strings.Split(string(made), "\n")
	if len(before) != len(after) {
		t.Fatalf("%d lines became %d:\n%s", len(before), len(after), made)
	}
	var changed []string
	for i := range before {
		if before[i] != after[i] {
			changed = append(changed, strings.TrimSpace(after[i]))
		}
	}
	want := []string{"httpPort: 8080", "httpsPort: 8443", "data: tarot_shop_data", "static: tarot_shop_static", "logs: tarot_shop_logs"}
	if !slices.Equal(changed, want) { // nobody has the subnets: taken is empty
		t.Errorf("changed %q", changed)
	}
}

func TestWhatIsOneStacksAloneIsNotTakenAlong(t *testing.T) {
	text := `encryptionsalt: v1:abc
config:
  tarot:maintenance: "true" # for a while
  tarot:jwtSecretKey:
    secure: v1:def
  tarot:releases: {keep: 3, pin: r0123456789}
  tarot:sites:
    other: {hosts: [other.example]}
  tarot:nginx: '{"httpPort": 9000, "serverNames": ["tarot.example"]}'
  tarot:networks:
    sitesSubnet: 10.213.9.0/24
  tarot:backend:
    volumes:
      media: tarot_media:/app/media
      cache: /app/cache
`
	var tree struct{ Config map[string]any }
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	delete(tree.Config, "tarot:jwtSecretKey")
	cfg, err := config.Decode(configtest.Raw(t, tree.Config))
	if err != nil {
		t.Fatal(err)
	}
	taken := &Taken{}
	taken.Stack(cfg)
	taken.Volume("tarot_shop_media")
	taken.Busy = func(port int) bool { return port == 9001 }
	made, _, secrets, err := Make([]byte(text), cfg, Args{Project: "tarot", Stack: "shop", Edge: "prod", Hosts: []string{"shop.example"}}, taken)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(secrets, []string{"tarot:jwtSecretKey"}) || strings.Contains(string(made), "secure") || strings.Contains(string(made), "salt") {
		t.Errorf("secrets %v of\n%s", secrets, made)
	}
	if !strings.Contains(string(made), "# for a while") {
		t.Errorf("a comment is gone:\n%s", made)
	}
	got := read(t, made)
	if got.Maintenance || got.Releases.Pin != "" || got.Releases.Keep != 3 || len(got.Sites) > 0 || got.Networks.SitesSubnet != "" {
		t.Errorf("taken along: %v, %+v, %v, %+v", got.Maintenance, got.Releases, got.Sites, got.Networks)
	}
	if n := got.Nginx; n.HTTPPort != 9002 || n.Edge != "prod" || n.TLS.Mode != "off" || !slices.Equal(n.ServerNames, []string{"shop.example"}) {
		t.Errorf("%+v", n)
	}
	if v := got.Backend.Volumes; v["media"] != "tarot_shop_media2:/app/media" || v["cache"] != "/app/cache" {
		t.Errorf("volumes %v", v)
	}
	if got.Networks.EdgeSubnet != "10.213.3.0/24" {
		t.Errorf("the edge's network: %s", got.Networks.EdgeSubnet)
	}
}

func TestWhatNoStackCanBeMadeOf(t *testing.T) {
	text, cfg := file(t, "prod")
	everything := &Taken{Busy: func(int) bool { return true }}
	for name, test := range map[string]struct {
		args  Args
		taken *Taken
		want  string
	}{
		"a name":        {Args{Project: "tarot", Stack: "My_Shop"}, &Taken{}, `stack "My_Shop" is not allowed; allowed: a name of at most 20`},
		"no host":       {Args{Project: "tarot", Stack: "shop", Edge: "prod"}, &Taken{}, "a stack behind the edge prod has to have a name"},
		"no free port":  {Args{Project: "tarot", Stack: "shop"}, everything, "tarot:nginx.httpPort: no port from 8080 on is free"},
		"no free range": {Args{Project: "tarot", Stack: "shop"}, &Taken{subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "tarot:networks.edgeSubnet: no private network after 10.213.0.0/24 is free"},
	} {
		if _, _, _, err := Make(text, cfg, test.args, test.taken); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key that names what only one stack can have is one that a new stack has another value of.
func TestEveryKeyOfThatKindIsKnown(t *testing.T) {
	known := map[string]bool{"networks.sitesSubnet": true, // a new stack is no edge
		"backend.port": true, "backend.health.port": true} // inside a container
	for _, v := range slices.Concat(Subnets(config.Defaults()), Ports(config.Defaults())) {
		known[v.Key] = true
	}
	var look func(reflect.Type, string)
	look = func(object reflect.Type, prefix string) {
		for i := range object.NumField() {
			field := object.Field(i)
			key := prefix + field.Tag.Get("key")
			switch {
			case field.Type.Kind() == reflect.Struct:
				look(field.Type, key+".")
			case strings.HasSuffix(key, "Subnet"), field.Type.Kind() == reflect.Int && strings.HasSuffix(strings.ToLower(key), "port"):
				if !known[key] {
					t.Errorf("%s is not known", key)
				}
			}
		}
	}
	look(reflect.TypeFor[config.Config](), "")
	if _, err := strconv.Atoi(Ports(config.Defaults())[0].Text); err != nil {
		t.Error(err)
	}
}

// A certificate is for names that lead to one stack: the new one asks no CA for the other's.
func TestTheNewStackAsksNoCAForTheNamesOfTheOther(t *testing.T) {
	const text = `config:
  tarot:nginx: {serverNames: [tarot.example], tls: {mode: acme, acme: {domains: [tarot.example, "*.tarot.example"]}}}
`
	var tree struct{ Config map[string]any }
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Decode(configtest.Raw(t, tree.Config))
	if err != nil {
		t.Fatal(err)
	}
	for mode, args := range map[string]Args{
		"selfSigned": {Project: "tarot", Stack: "shop"}, "acme": {Project: "tarot", Stack: "shop", Hosts: []string{"shop.example"}},
		"off": {Project: "tarot", Stack: "shop", Edge: "prod", Hosts: []string{"shop.example"}},
	} {
		made, _, _, err := Make([]byte(text), cfg, args, &Taken{})
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, made).Nginx.TLS; got.Mode != mode || len(got.ACME.Domains) > 0 {
			t.Errorf("want %s: %+v", mode, got)
		}
	}
}
