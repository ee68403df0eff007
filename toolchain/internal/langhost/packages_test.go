package langhost

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParsePackages(t *testing.T) {
	got, err := parsePackages("\n/mod/a\texample.com/a\tv1.2.3\tfalse\n\n/src\tmine\t\tfalse\n/mod/b\texample.com/b\tv0.1.0\ttrue\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []goPackage{
		{"/mod/a", "example.com/a", "v1.2.3", false},
		{"/src", "mine", "", false},
		{"/mod/b", "example.com/b", "v0.1.0", true},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
	if _, err := parsePackages("what is this\n"); err == nil {
		t.Error("a line of another form is not an error")
	}
}

func TestRequiredPlugins(t *testing.T) {
	packages := []goPackage{
		sdkPackage(t, `{"resource": true, "name": "docker", "version": "4.11.2"}`),
		sdkPackage(t, `{"resource": true, "name": "other", "server": "https://example.com"}`), // no version: the module's
		sdkPackage(t, `{"resource": false}`),
		{dir: t.TempDir(), version: "v1.0.0"}, // an ordinary package
	}
	got, err := requiredPlugins(packages)
	if err != nil {
		t.Fatal(err)
	}
	want := []pluginFile{
		{Resource: true, Name: "docker", Version: "4.11.2"},
		{Resource: true, Name: "other", Version: "1.0.0", Server: "https://example.com"},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := requiredPlugins([]goPackage{sdkPackage(t, "{")}); err == nil {
		t.Error("a broken pulumi-plugin.json is not an error")
	}
}

func sdkPackage(t *testing.T, plugin string) goPackage {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pulumi-plugin.json"), []byte(plugin), 0o600); err != nil {
		t.Fatal(err)
	}
	return goPackage{dir: dir, module: "example.com/sdk", version: "v1.0.0"}
}

func TestDependencies(t *testing.T) {
	packages := []goPackage{
		{module: "mine"},
		{module: "a", version: "v1"}, {module: "a", version: "v1"},
		{module: "b", version: "v2", indirect: true},
	}
	if got := dependencies(packages, false); len(got) != 1 || got[0].GetName() != "a" || got[0].GetVersion() != "v1" {
		t.Errorf("direct: got %v", got)
	}
	if got := dependencies(packages, true); len(got) != 2 {
		t.Errorf("transitive: got %v", got)
	}
}
