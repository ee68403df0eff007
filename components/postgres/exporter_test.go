package postgres

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"

	"tarot-platform/components/part"
	"tarot-platform/internal/config"
	"tarot-platform/internal/golden"
)

// The golden file is given to the real promtool, and tried by it, in the end-to-end tests.
func TestRules(t *testing.T) {
	golden.Check(t, "testdata/postgres.rules.yml", "groups:\n"+spec(t, Exporter{}, with()).Alerts[0].YAML)
}

func TestWithoutMonitoringNothingWatches(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"no monitoring": func(c *config.Config) { c.Monitoring.Enabled = false },
		"no PostgreSQL": func(c *config.Config) { c.Database.Kind = config.SQLite },
	} {
		if s := spec(t, Exporter{}, with(change)); len(s.Services)+len(s.Images)+len(s.Alerts)+len(s.Dashboards)+len(s.Scrapes) != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// It has no password, and reads figures only.
func TestTheExporterComesByTheSocket(t *testing.T) {
	s := spec(t, Exporter{}, with()).Services[0]
	if len(s.Secrets) != 0 || s.User != "65534:65534" || !slices.Equal(s.Networks, []string{part.Watch}) || s.Environment["DATA_SOURCE_NAME"] != "host=/var/run/postgresql user=exporter dbname=app sslmode=disable" {
		t.Errorf("%+v", s)
	}
	if m := s.Mounts[0]; m.Source != Socket || !m.ReadOnly {
		t.Errorf("%+v", s.Mounts)
	}
	if !strings.Contains(identities, "nobody    exporter\n") || !strings.Contains(logins, "local   all       exporter           peer map=users\n") {
		t.Error("the server does not know it")
	}
}

// ofOthers are those that panels ask for, and that are not the exporter's.
var ofOthers = []string{"platform_release_info", "platform_deployed_timestamp_seconds", "backup_archive_result", "backup_last_success_timestamp_seconds"}

// Whatever a rule or a panel asks for is kept, and nothing else.
func TestWhatIsAskedForIsKept(t *testing.T) {
	s := spec(t, Exporter{}, with())
	s.Alerts[0].YAML += spec(t, Archive{}, with()).Alerts[0].YAML
	asksForWhatIsKept(t, s, "postgres.json", metrics, expanded)
}

// asksForWhatIsKept looks at a part's rules and its dashboard: each asks for nothing but what a pattern
// keeps, and all names that it keeps are asked for.
func asksForWhatIsKept(t *testing.T, s part.Spec, dashboard, pattern, names string) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	if err := yaml.Unmarshal([]byte("groups:\n"+s.Alerts[0].YAML), &file); err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			asked = append(asked, r.Expr)
		}
	}
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(s.Dashboards[dashboard]), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			asked = append(asked, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}
	keep, seen := regexp.MustCompile("^("+pattern+")$"), map[string]bool{}
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
	for _, name := range strings.Fields(names) {
		if !seen[name] || !keep.MatchString(name) {
			t.Errorf("%s is kept for nobody, or not kept", name)
		}
	}
}

// expanded is what the pattern keeps, name by name.
const expanded = `pg_up pg_settings_max_connections pg_stat_activity_count pg_stat_activity_max_tx_duration pg_stat_database_xact_commit pg_stat_database_xact_rollback
pg_stat_database_deadlocks pg_stat_database_blks_hit pg_stat_database_blks_read pg_stat_database_temp_bytes pg_database_size_bytes pg_stat_user_tables_n_dead_tup
pg_stat_user_tables_n_live_tup pg_replication_slot_slot_is_active pg_replication_slot_safe_wal_size_bytes pg_stat_archiver_failed_count
pg_stat_archiver_last_archive_age pg_stat_database_tup_inserted pg_stat_database_tup_updated pg_stat_database_tup_deleted pg_wal_size_bytes pg_database_wraparound_age_datfrozenxid_seconds`
