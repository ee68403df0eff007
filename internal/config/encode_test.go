package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/config/configtest"
)

// again is what a stack file says that was written from cfg.
func again(t *testing.T, cfg Config) (Config, string) {
	t.Helper()
	text, err := cfg.StackFile("# What it is.")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "Pulumi.test.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := Decode(configtest.Raw(t, configtest.Tree(t, path)))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return read, string(text)
}

// alike compares two configurations; nothing and an empty list are one.
func alike(t *testing.T, got, want Config) {
	t.Helper()
	a, first := got.StackFile("")
	b, second := want.StackFile("")
	if err := errors.Join(first, second); err != nil || string(a) != string(b) {
		t.Errorf("%v, got\n%s\nwant\n%s", err, a, b)
	}
}

func TestWhatIsWrittenIsReadAsItWas(t *testing.T) {
	cfg := Everything()
	cfg.Backend.Environment = map[string]string{"NUMBER": "0x10", "BOOL": "yes", "EMPTY": "", "LINES": "a\nb\n", "COLON": "a: b", "PRICE": "1e3", "HASH": "# no comment"}
	cfg.Backend.Command = []string{"serve", "--port", "8000", "true"}
	cfg.Backend.StopGrace = 90 * time.Minute
	cfg.Cache.Memory = 1536 << 10
	cfg.Services = map[string]Service{"worker": with(Service{}.Default().(Service), func(s *Service) {
		s.Command, s.StopGrace, s.Health.None = []string{"celery", "worker"}, 5*time.Minute, true
	})}
	read, text := again(t, cfg)
	alike(t, read, cfg)
	if !reflect.DeepEqual(read.Backend.Environment, cfg.Backend.Environment) || !reflect.DeepEqual(read.Services, cfg.Services) || read.Cache.Memory != cfg.Cache.Memory || read.Backend.StopGrace != cfg.Backend.StopGrace {
		t.Errorf("%+v\n%+v", read.Backend, read.Services)
	}
	want := "  tarot:services:\n    worker:\n      command:\n        - celery\n        - worker\n      health:\n        none: true\n      stopGrace: 5m\n"
	if !strings.HasPrefix(text, "# What it is.\nconfig:\n  tarot:runtime: containers\n") || !strings.Contains(text, want) || !strings.Contains(text, "\n  tarot:maintenance: \"false\"\n") {
		t.Error(text)
	}
}

func with(s Service, change func(*Service)) Service {
	change(&s)
	return s
}

func TestSecretsAreNotWritten(t *testing.T) {
	cfg := Defaults()
	cfg.Secrets = map[string]string{"databaseUrl": "postgresql://a:s3cr3t@b/c"}
	if text, err := cfg.StackFile(""); err != nil || strings.Contains(string(text), "s3cr3t") {
		t.Errorf("%v\n%s", err, text)
	}
}

// The committed ones can be written, key for key.
func TestWhatIsWrittenNamesEveryKey(t *testing.T) {
	_, text := again(t, Defaults())
	path := filepath.Join(t.TempDir(), "Pulumi.test.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tree := map[string]any{}
	for key, value := range configtest.Tree(t, path) {
		tree[key[len(Namespace)+1:]] = value
	}
	got, want := keysOf(reflect.TypeFor[Config](), "", tree), keysOfStruct(reflect.TypeFor[Config](), "")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
