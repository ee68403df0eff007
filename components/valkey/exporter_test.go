package valkey

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"

	"tarot-platform/components/part"
	"tarot-platform/internal/golden"
)

// The golden files are given to the real promtool, and tried by it, in the end-to-end tests.
func TestRulesOfTheProfiles(t *testing.T) {
	for _, profile := range []string{"cache", "queue"} {
		golden.Check(t, "testdata/"+profile+".rules.yml", "groups:\n"+spec(t, Exporter{}, with(profile)).Alerts[0].YAML)
	}
}

func TestWithoutMonitoringNothingWatches(t *testing.T) {
	c := with("queue")
	c.Monitoring.Enabled = false
	if s := spec(t, Exporter{}, c); len(s.Services)+len(s.Alerts)+len(s.Dashboards)+len(s.Scrapes) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheExporterFindsItsPassword(t *testing.T) {
	s := spec(t, Exporter{}, with("cache")).Services[0]
	text, err := s.Secrets[0].Make(`exporter"s`)
	if err != nil || text != `{"redis://exporter@valkey:6379":"exporter\"s"}` {
		t.Errorf("%v: %s", err, text)
	}
	for _, want := range []string{"--redis.addr=redis://valkey:6379", "--redis.user=exporter", "--redis.password-file=/run/secrets/" + s.Secrets[0].Name} {
		if !slices.Contains(s.Command, want) {
			t.Errorf("%s is not in %q", want, s.Command)
		}
	}
	if !slices.Equal(s.Networks, []string{part.Watch, part.Inner}) || !s.Exclusive {
		t.Errorf("%+v", s)
	}
}

// ofOthers are those that rules and panels ask for, and that are not the exporter's.
var ofOthers = []string{"cache_requests_total", "ALERTS", "platform_release_info", "platform_deployed_timestamp_seconds"}

// Whatever a rule or a panel asks for is kept, and nothing else.
func TestWhatIsAskedForIsKept(t *testing.T) {
	s := spec(t, Exporter{}, with("queue"))
	var file struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	if err := yaml.Unmarshal([]byte("groups:\n"+s.Alerts[0].YAML), &file); err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, r := range file.Groups[0].Rules {
		asked = append(asked, r.Expr)
	}
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(s.Dashboards["valkey.json"]), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			asked = append(asked, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}
	keep, seen := regexp.MustCompile("^("+metrics+")$"), map[string]bool{}
	for _, query := range asked {
		expression, err := parser.ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			if selector, is := node.(*parser.VectorSelector); is {
				seen[selector.Name] = true
				if !keep.MatchString(selector.Name) && !slices.Contains(ofOthers, selector.Name) {
					t.Errorf("%s: nobody keeps %s", query, selector.Name)
				}
			}
			return nil
		})
	}
	if len(seen) < 15 {
		t.Errorf("only %d metrics are asked for: %v", len(seen), seen)
	}
	for _, name := range strings.FieldsFunc(expanded, func(r rune) bool { return r == ' ' || r == '\n' }) {
		if !seen[name] || !keep.MatchString(name) {
			t.Errorf("%s is kept for nobody, or not kept", name)
		}
	}
}

// expanded is what the pattern keeps, name by name.
const expanded = `redis_up redis_connected_clients redis_blocked_clients redis_rejected_connections_total redis_acl_access_denied_auth_total
redis_errors_total redis_commands_total redis_commands_duration_seconds_total redis_evicted_keys_total redis_expired_keys_total
redis_keyspace_hits_total redis_keyspace_misses_total redis_memory_used_bytes redis_memory_used_rss_bytes redis_memory_max_bytes
redis_aof_current_size_bytes redis_aof_base_size_bytes redis_aof_last_write_status redis_aof_last_bgrewrite_status`
