//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/environment"
)

// TestStackForATime makes a stack with an end of one that runs, and has it go: with all that it has
// stored, from a checkout that has no file of it, while the other one stays as it is.
//
//suite:thorough
func TestStackForATime(t *testing.T) {
	s := releasing(t, "containers")
	tool := s.operator()
	s.up()
	before := s.ids("backend")
	other := *s
	other.name = "pr-" + s.id
	t.Cleanup(func() { // where the test ends before
		if _, err := os.Stat(other.configFile()); err == nil {
			_, _ = other.run("destroy", "--yes", "--skip-preview")
		}
		other.removeVolumes() // the records of what it was, which stay as those of each stack do
	})
	refused := func(want string, args ...string) {
		t.Helper()
		if said, code := tool(args...); code != 1 || !strings.Contains(said, want) {
			t.Errorf("%q: exit code %d, want 1 and %q\n%s", args, code, want, said)
		}
	}
	refused("is not allowed to have an end", "env", "new", "prod-"+s.id, "--from", s.name, "--ttl", "1h")
	refused("may use", "env", "new", other.name, "--from", s.name, "--ttl", "1h", "--memory", "10m")
	refused("was not made to have an end", "env", "expire", s.name)
	if _, err := os.Stat(other.configFile()); err == nil {
		t.Fatal("one that was refused has a file")
	}

	if said, code := tool("env", "new", other.name, "--from", s.name, "--ttl", "2m", "--memory", "1g"); code != 0 {
		t.Fatalf("env new: %d\n%s", code, said)
	}
	made := time.Now()
	other.up()
	list := func() (all []environment.Environment) {
		t.Helper()
		said, code := tool("env", "list", "--json")
		if err := json.Unmarshal([]byte(said), &all); code != 0 || err != nil {
			t.Fatalf("env list: %d, %v\n%s", code, err, said)
		}
		return all
	}
	if all := list(); len(all) != 1 || all[0].Stack != other.name {
		t.Errorf("%+v", all)
	}
	if time.Since(made) < 100*time.Second { // nothing is over yet
		if said, code := tool("env", "expire"); code != 0 || !strings.Contains(said, "0 removed, 1 stay") {
			t.Errorf("env expire: %d\n%s", code, said)
		}
	}
	volumes := s.docker("volume", "ls", "--quiet", "--filter", "name="+other.name)
	if !strings.Contains(volumes, other.name+"_data") {
		t.Errorf("its volumes are %s", volumes)
	}
	if err := os.Remove(other.configFile()); err != nil { // the runner that made it is gone
		t.Fatal(err)
	}
	time.Sleep(time.Until(made.Add(2*time.Minute + time.Second)))
	if all := list(); len(all) != 1 || !all[0].Over {
		t.Errorf("%+v", all)
	}
	said, code := tool("env", "expire")
	if code != 0 || !strings.Contains(said, "1 removed, 0 stay") {
		t.Fatalf("env expire: %d\n%s", code, said)
	}
	for kind, name := range map[string]string{"volume": other.name + "_", "network": other.name, "container": other.name} {
		args := []string{kind, "ls", "--quiet", "--filter", "name=" + name}
		if kind == "container" {
			args = append(args, "--all")
		}
		for _, left := range strings.Fields(s.docker(args...)) {
			if !strings.Contains(left, "-uses-") { // who used a volume is a record, and stays
				t.Errorf("%s of it that is left: %s", kind, left)
			}
		}
	}
	if all := list(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	if _, err := os.Stat(other.configFile()); err == nil {
		t.Error("a file of it is left")
	}
	if now := s.ids("backend"); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("the other stack was %v, and is %v", before, now)
	}
	if said, code := tool("env", "expire", other.name); code != 0 || !strings.Contains(said, "there is no stack") {
		t.Errorf("one that is gone: %d\n%s", code, said)
	}
}
