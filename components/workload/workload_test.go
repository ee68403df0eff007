package workload

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// valid is a workload that uses everything.
func valid() Workload {
	return Workload{
		Program: Program{
			Name: "backend", Ports: []Port{{Host: 80, Container: 8080}},
			Health:   Health{Interval: time.Second, Timeout: time.Second, StartPeriod: time.Second, Retries: 1},
			Limits:   Limits{Memory: 6 << 20},
			Replicas: 1, User: "10001:10001", StopGrace: time.Second,
		},
		Image:    Image{Reference: "app:1"},
		Files:    []File{{Name: "app.conf", Content: pulumi.String("x")}},
		Secrets:  []Secret{{Name: "jwt", Variable: "JWT_FILE"}},
		Mounts:   []Mount{{Kind: Tmpfs, Target: "/tmp"}, {Kind: Volume, Source: pulumi.String("data"), Target: "/data"}},
		Networks: []*Network{{Name: "inner", Internal: true}, {Name: "edge"}},
	}
}

func TestValidateRefusesWhatNoRuntimeShouldRun(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Workload)
		want   []string
	}{
		{"valid", func(*Workload) {}, nil},
		{"no name", func(w *Workload) { w.Name = "" }, []string{`workload "": the name is no DNS label`}},
		{"upper case", func(w *Workload) { w.Name = "Backend" }, []string{`workload "Backend": the name is no DNS label`}},
		{"underscore", func(w *Workload) { w.Name = "a_b" }, []string{`workload "a_b": the name is no DNS label`}},
		{"hyphen at the end", func(w *Workload) { w.Name = "a-" }, []string{`workload "a-": the name is no DNS label`}},
		{"no image", func(w *Workload) { w.Image.Reference = "" }, []string{`workload "backend": no image`}},
		{"no replicas", func(w *Workload) { w.Replicas = 0 }, []string{`workload "backend": replicas 0, want at least 1`}},
		{"two owners of a port", func(w *Workload) { w.Replicas = 2 }, []string{`workload "backend": 2 replicas can not share a host port`}},
		{"no memory limit", func(w *Workload) { w.Limits.Memory = 0 }, []string{`workload "backend": no memory limit`}},
		{"no user", func(w *Workload) { w.User = "" }, []string{`workload "backend": user "", want uid:gid other than root`}},
		{"root's group", func(w *Workload) { w.Groups = []int{998, 0} }, []string{`workload "backend": groups [998 0], want none of root's`}},
		{"root", func(w *Workload) { w.User = "0:0" }, []string{`workload "backend": user "0:0", want uid:gid other than root`}},
		{"no network", func(w *Workload) { w.Networks, w.Ports = nil, nil }, []string{`workload "backend": no network`}},
		{"no network, on purpose", func(w *Workload) { w.Networks, w.Ports, w.Isolated = nil, nil, true }, nil},
		{"isolated on networks", func(w *Workload) { w.Isolated = true }, []string{`workload "backend": isolated, and on 2 networks`}},
		{"who reads all", func(w *Workload) {
			w.User, w.Root, w.Capabilities = "0:0", "it reads", []string{"DAC_READ_SEARCH", "SETGID", "SETUID"}
		}, nil},
		{"capabilities without a reason", func(w *Workload) { w.Capabilities = []string{"DAC_READ_SEARCH"} },
			[]string{`workload "backend": capabilities [DAC_READ_SEARCH], and a service may have none but those of a reader, as root: [DAC_READ_SEARCH SETGID SETUID]`}},
		{"another capability", func(w *Workload) { w.User, w.Root, w.Capabilities = "0:0", "it writes", []string{"DAC_OVERRIDE"} },
			[]string{`workload "backend": capabilities [DAC_OVERRIDE], and a service may have none but those of a reader, as root: [DAC_READ_SEARCH SETGID SETUID]`}},
		{"no health check", func(w *Workload) { w.Health = Health{} }, []string{`workload "backend": no health check, and no time in which it has to run without ending`}},
		{"a time in place of a check", func(w *Workload) { w.Health = Health{Steady: time.Second} }, nil},
		{"less than a second", func(w *Workload) { w.Health = Health{Steady: time.Millisecond, Interval: time.Second, Retries: 1} },
			[]string{`workload "backend": no health check, and no time in which it has to run without ending`}},
		{"no grace", func(w *Workload) { w.StopGrace = 0 }, []string{`workload "backend": stop grace 0s, want at least 1s`}},
		{"ports on internal networks", func(w *Workload) { w.Networks = w.Networks[:1] },
			[]string{`workload "backend": publishes ports, but has internal networks only`}},
		{"relative target", func(w *Workload) { w.Mounts[1].Target = "data" }, []string{`workload "backend": mount target "data" is not absolute`}},
		{"no memory of its own", func(w *Workload) { w.Mounts = w.Mounts[1:] },
			[]string{`workload "backend": no tmpfs at /tmp, where the health check remembers until the next start that it has passed`}},
		{"target used twice", func(w *Workload) { w.Mounts[1].Target = "/tmp" },
			[]string{`workload "backend": mount target "/tmp" is used twice`}},
		{"volume without a source", func(w *Workload) { w.Mounts[1].Source = nil },
			[]string{`workload "backend": mount "/data": a volume and its source do not fit`}},
		{"tmpfs with a source", func(w *Workload) { w.Mounts[0].Source = pulumi.String("x") },
			[]string{`workload "backend": mount "/tmp": a tmpfs and its source do not fit`}},
		{"file in a folder", func(w *Workload) { w.Files[0].Name = "../passwd" },
			[]string{`workload "backend": file name "../passwd" has a folder`}},
		{"a secret in no variable's name", func(w *Workload) { w.Secrets[0].Export = "A B" }, []string{`workload "backend": secret "jwt" can't be the variable "A B"`}},
		{"secret in a folder", func(w *Workload) { w.Secrets[0].Name = "a/b" }, []string{`workload "backend": secret name "a/b" has a folder`}},
		{"several at once", func(w *Workload) { w.User, w.Replicas = "root", -1; w.Limits.Memory = 0; w.Ports = nil },
			[]string{`workload "backend": replicas -1, want at least 1`, `workload "backend": no memory limit`,
				`workload "backend": user "root", want uid:gid other than root`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := valid()
			test.change(&w)
			var got []string
			if err := w.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestShellExportsSurviveARealShell(t *testing.T) {
	for name, value := range map[string]string{
		"empty":           "",
		"plain":           "8000",
		"spaces":          " a  b\t",
		"single quotes":   `it's 'quoted' '`,
		"double quotes":   `say "hi"`,
		"variables":       "$HOME ${PATH} $(id) `id`",
		"backslashes":     `a\nb\\`,
		"newlines":        "one\ntwo\n\nthree",
		"equals":          "a=b=c",
		"glob and home":   "* ~ ? [a]",
		"shell syntax":    "; rm -rf x & | > < ( ) { } # !",
		"beyond ASCII":    "Zürich ☕",
		"URL":             "postgresql+psycopg://u:p'$w@db/x?a=1&b=2",
		"leading hyphens": "-n -e",
	} {
		t.Run(name, func(t *testing.T) {
			script := ShellExports([]string{"BEFORE=x", "VALUE=" + value, "AFTER=y"}) + `exec printenv BEFORE VALUE AFTER`
			cmd := exec.Command("/bin/sh", "-c", script)
			cmd.Env = []string{"PATH=/usr/bin:/bin"}
			out, err := cmd.CombinedOutput()
			if want := "x\n" + value + "\ny\n"; err != nil || string(out) != want {
				t.Errorf("%v: got %q, want %q", err, out, want)
			}
		})
	}
}

func TestFullEnvironmentIsSortedAndNamesTheSecretsFiles(t *testing.T) {
	w := Workload{
		Program: Program{Environment: map[string]string{"PORT": "8000", "HOST": "0.0.0.0", "ZONE": "a=b"}},
		Secrets: []Secret{{Name: "jwt_secret_key", Variable: "JWT_SECRET_KEY_FILE"}, {Name: "tls_key"}},
	}
	want := []string{"HOST=0.0.0.0", "JWT_SECRET_KEY_FILE=/run/secrets/jwt_secret_key", "PORT=8000", "ZONE=a=b"}
	if got := w.FullEnvironment(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(w.Environment) != 3 {
		t.Errorf("the workload's own map was written to: %v", w.Environment)
	}
	if got := (Workload{}).FullEnvironment(); len(got) != 0 {
		t.Errorf("of nothing: %q", got)
	}
}

func TestHealthDeadlineHasRoomForEveryRetry(t *testing.T) {
	h := Health{Interval: 2 * time.Second, Timeout: 10 * time.Second, StartPeriod: time.Minute, Retries: 3}
	if got, want := h.Deadline(), 108*time.Second; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWithoutACheckADeadlineHasRoomForItsTime(t *testing.T) {
	if got, want := (Health{Steady: 5 * time.Second}).Deadline(), 40*time.Second; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWhoStopsFirst(t *testing.T) {
	for want, programs := range map[bool][]Program{true: {{Exclusive: true}, {Recreate: true}, {Ports: []Port{{}}}}, false: {{}}} {
		for _, p := range programs {
			if p.StopFirst() != want {
				t.Errorf("%+v stops first: %v", p, !want)
			}
		}
	}
}

func TestEnvironmentScriptInARealShell(t *testing.T) {
	folder := t.TempDir()
	secret := folder + "/database_url"
	if err := os.WriteFile(secret, []byte("postgresql://u:p'$w@db/x?a=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := Workload{
		Program: Program{Environment: map[string]string{"PORT": "9000", "DATABASE_URL": "sqlite:///x"}},
		Secrets: []Secret{{Name: "database_url", Variable: "DATABASE_URL_FILE", Export: "DATABASE_URL"}},
	}
	for _, test := range []struct {
		name, set, env, secret, want string
	}{
		{"as the runtime starts it", "", EnvironmentPath, secret, "9000|/run/secrets/database_url|postgresql://u:p'$w@db/x?a=1|unset\n"},
		{"an image's own ENV", "", "production", secret, "9000|/run/secrets/database_url|postgresql://u:p'$w@db/x?a=1|production\n"},
		{"the user's own ENV", "staging", EnvironmentPath, secret, "9000|/run/secrets/database_url|postgresql://u:p'$w@db/x?a=1|staging\n"},
		{"no secret", "", EnvironmentPath, folder + "/nowhere", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w
			if test.set != "" {
				w.Environment = map[string]string{"PORT": "9000", "ENV": test.set}
			}
			script := folder + "/environment"
			if err := os.WriteFile(script, []byte(strings.ReplaceAll(w.EnvironmentScript(), "'/run/secrets/database_url') ", "'"+test.secret+"') ")), 0o600); err != nil {
				t.Fatal(err)
			}
			command := Loaded("test")
			command[2] = strings.ReplaceAll(command[2], EnvironmentPath, script)
			cmd := exec.Command(command[0], append(command[1:], "/bin/sh", "-c", `echo "$PORT|$DATABASE_URL_FILE|$DATABASE_URL|${ENV-unset}"`)...)
			cmd.Env = []string{"PATH=/usr/bin:/bin", "ENV=" + test.env}
			out, err := cmd.Output()
			if string(out) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%v: got %q, want %q", err, out, test.want)
			}
		})
	}
}
