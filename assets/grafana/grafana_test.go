package grafana

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func rendered(t *testing.T, c Config) map[string]string {
	t.Helper()
	files, err := Files(c)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestFilesFitInOneFolder(t *testing.T) {
	want := []string{"application.json", "dashboards.yml", "data.json", "datasources.yml", "edge.json", "host.json", "overview.json"}
	if got := slices.Sorted(maps.Keys(rendered(t, example))); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWithoutNginxNothingIsAskedOfIt(t *testing.T) {
	c := example
	c.Edge = false
	files := rendered(t, c)
	if _, is := files[edge]; is {
		t.Error("the dashboard of nginx is there")
	}
	for name, text := range files {
		if strings.Contains(text, "nginx_") {
			t.Errorf("%s asks for metrics of nginx", name)
		}
	}
	if !strings.Contains(files["overview.json"], `http_requests_total{route!~\"/health|/metrics\",status=~'5..'}[30d]`) {
		t.Error("the overview's availability is not the application's, or counts health checks")
	}
}

// A number stands where a string stood, and a text keeps its string whole.
func TestTheConfigurationIsFilledIn(t *testing.T) {
	c := example
	c.HealthPath = `/a"b\c.d`
	files := rendered(t, c)
	for file, parts := range map[string][]string{
		"datasources.yml":  {`timeInterval: "15s"`},
		"overview.json":    {`{ "value": 0.999, "color": "green" }`, `[30d])) / 0.001"`, `{ "value": 93600, "color": "orange" }`, "objective, 99.9 %."},
		"application.json": {`{ "value": 0.5, "color": "red" }`, "line, 500ms.", `route!~\"/a\\\"b\\\\\\\\c\\\\.d|/metrics\"`},
	} {
		for _, part := range parts {
			if !strings.Contains(files[file], part) {
				t.Errorf("%s lacks %s", file, part)
			}
		}
	}
	for name, text := range files {
		if strings.HasSuffix(name, ".json") && !json.Valid([]byte(text)) {
			t.Errorf("%s is no JSON", name)
		}
	}
}

func TestTheSourcesAreJSONAsTheyAre(t *testing.T) {
	entries, err := sources.ReadDir("dashboards")
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, entry := range entries {
		if text, err := sources.ReadFile("dashboards/" + entry.Name()); err != nil || !json.Valid(text) {
			t.Errorf("%s: %v", entry.Name(), err)
		}
	}
}

// datasources are what the dashboards may name, by uid.
func datasources(t *testing.T) map[string]string {
	t.Helper()
	var declared struct {
		Datasources []struct {
			Name, UID, Type, URL string
			IsDefault            bool `yaml:"isDefault"`
		}
	}
	if err := yaml.Unmarshal([]byte(rendered(t, example)["datasources.yml"]), &declared); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, d := range declared.Datasources {
		found[d.UID] = d.Type
		if d.IsDefault != (d.UID == "prometheus") {
			t.Errorf("%s is the default: %v", d.Name, d.IsDefault)
		}
	}
	return found
}

func TestDataSources(t *testing.T) {
	want := map[string]string{"prometheus": "prometheus", "alertmanager": "alertmanager"}
	if got := datasources(t); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDashboardsAreReadFromWhereTheyAreMounted(t *testing.T) {
	var declared struct {
		Providers []struct {
			Folder, Type string
			Options      struct{ Path string }
		}
	}
	if err := yaml.Unmarshal([]byte(rendered(t, example)["dashboards.yml"]), &declared); err != nil {
		t.Fatal(err)
	}
	if p := declared.Providers; len(p) != 1 || p[0].Folder != "Platform" || p[0].Type != "file" || p[0].Options.Path != "/run/config" {
		t.Errorf("%+v", p)
	}
}
