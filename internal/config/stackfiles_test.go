package config

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"tarot-platform/internal/config/configtest"
)

// root is where the stack files are, seen from this package.
const root = "../.."

// stackFiles finds the committed ones, so that a new one is tested too.
func stackFiles(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob(root + "/Pulumi.*.yaml")
	if err != nil || len(found) < 2 {
		t.Fatalf("stack files: %v, %v", found, err)
	}
	return found
}

// keysOf lists the keys of a tree, as deep as they are keys of ours.
func keysOf(t reflect.Type, prefix string, tree map[string]any) []string {
	var all []string
	for name, value := range tree {
		all = append(all, prefix+name)
		field, _ := fieldByKey(t, name)
		if members, ok := value.(map[string]any); ok && field.Type != nil && field.Type.Kind() == reflect.Struct {
			all = append(all, keysOf(field.Type, prefix+name+".", members)...)
		}
	}
	slices.Sort(all)
	return all
}

// keysOfStruct lists the keys that there are.
func keysOfStruct(t reflect.Type, prefix string) []string {
	var all []string
	for _, name := range keys(t) {
		all = append(all, prefix+name)
		if field, _ := fieldByKey(t, name); field.Type.Kind() == reflect.Struct {
			all = append(all, keysOfStruct(field.Type, prefix+name+".")...)
		}
	}
	slices.Sort(all)
	return all
}

func TestStackFilesNameEveryKeyAndNoOther(t *testing.T) {
	want := keysOfStruct(reflect.TypeFor[Config](), "")
	for _, path := range stackFiles(t) {
		tree := map[string]any{}
		for key, value := range configtest.Tree(t, path) {
			tree[key[len(Namespace)+1:]] = value
		}
		got := keysOf(reflect.TypeFor[Config](), "", tree)
		for _, key := range got {
			if !slices.Contains(want, key) {
				t.Errorf("%s: %s is no key", filepath.Base(path), key)
			}
		}
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Errorf("%s: %s is missing", filepath.Base(path), key)
			}
		}
	}
}

func TestStackFilesAreValid(t *testing.T) {
	for _, path := range stackFiles(t) {
		raw := configtest.Raw(t, configtest.Tree(t, path))
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Chdir(root)
			if _, err := Load(raw); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStackFilesMeanWhatTheIssueSays(t *testing.T) {
	t.Chdir(root)
	load := func(name string) Config {
		cfg, err := Load(configtest.Raw(t, configtest.Tree(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	dev, prod := load("Pulumi.dev.yaml"), load("Pulumi.prod.yaml")
	if b := dev.Backend; dev.Runtime != "containers" || b.Replicas != 1 || b.Workers != 1 || !b.Debug || !b.MountCode ||
		b.Drain != 5*time.Second || b.Memory != 512<<20 || b.PublishAddress != "127.0.0.1" {
		t.Errorf("dev: %s, %+v", dev.Runtime, b)
	}
	if b := prod.Backend; prod.Runtime != "swarm" || b.Replicas != 3 || b.Workers != 4 || b.Debug || b.MountCode ||
		b.Drain != 30*time.Second || b.PublishPort != 0 || b.DebuggerPort != 0 {
		t.Errorf("prod: %s, %+v", prod.Runtime, b)
	}
	if !prod.Networks.Isolated || prod.Nginx.TLS.Mode == "off" || !prod.Volumes.Retain {
		t.Errorf("prod: networks %+v, tls %+v, volumes %+v", prod.Networks, prod.Nginx.TLS, prod.Volumes)
	}
	if want := map[string]string{"max-size": "100m", "max-file": "5"}; !maps.Equal(prod.Logging.Options, want) {
		t.Errorf("prod: logging options %v", prod.Logging.Options)
	}
	if cfg := Defaults(); len(keysOfStruct(reflect.TypeOf(cfg), "")) < 60 {
		t.Error("the walk over the keys stops early")
	}
}

func TestStackFilesOfOneMachineDoNotCollide(t *testing.T) {
	subnets := map[any]string{}
	for _, path := range stackFiles(t) {
		networks := configtest.Tree(t, path)[Namespace+":networks"].(map[string]any)
		for _, key := range []string{"edgeSubnet", "backendSubnet"} {
			if other, taken := subnets[networks[key]]; taken {
				t.Errorf("%s: %s %v is also in %s", path, key, networks[key], other)
			}
			subnets[networks[key]] = path
		}
	}
	if _, err := os.Stat(root + "/Pulumi.yaml"); err != nil {
		t.Error(err)
	}
}
