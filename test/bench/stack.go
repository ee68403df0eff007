package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// checkout copies what git would into a new folder: what is tracked, and what
// is new.
func (b *bench) checkout(ctx context.Context, name string, skip ...string) (string, error) {
	to := filepath.Join(b.work, name)
	return to, b.copyTo(ctx, to, skip...)
}

func (b *bench) copyTo(ctx context.Context, to string, skip ...string) error {
	list, _, err := command{dir: b.root, args: []string{"git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"}}.run(ctx)
	if err != nil {
		return err
	}
names:
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		for _, folder := range append(skip, "build/", ".build/") {
			if strings.HasPrefix(name, folder) {
				continue names
			}
		}
		data, err := os.ReadFile(filepath.Join(b.root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // tracked, and removed in the working tree
		}
		if err != nil {
			return err
		}
		info, err := os.Stat(filepath.Join(b.root, name))
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, data, info.Mode().Perm())); err != nil { //nolint:gosec // containers read it
			return err
		}
	}
	return nil
}

// cold makes every RUN of a Dockerfile one that no cache knows, and that the
// run's name is in. What the image contains stays the same.
func (b *bench) cold(dockerfile string) error {
	b.stacks++
	mark := fmt.Sprintf("RUN : %s-%d; ", b.id, b.stacks)
	return edit(dockerfile, func(text string) string {
		return regexp.MustCompile(`(?m)^RUN `).ReplaceAllLiteralString(text, mark)
	})
}

// changeLine changes one line of the application's code.
func changeLine(dir string) error {
	return edit(filepath.Join(dir, "app", "tarot", "__init__.py"), func(text string) string {
		return text + fmt.Sprintf("# changed %d\n", time.Now().UnixNano())
	})
}

func edit(file string, change func(string) string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(change(string(text))), 0o644) //nolint:gosec // containers read it
}

// stack is a Pulumi stack of this run's own.
type stack struct {
	b    *bench
	dir  string
	name string
	env  []string
	bin  string // the folders before the PATH's
	only bool   // env is the whole environment
}

// newStack makes a stack of a checkout with the values of a committed stack
// file, changed by the overrides. What has one owner on a machine (ports,
// networks, volumes) is its own.
func (b *bench) newStack(ctx context.Context, dir, file string, overrides map[string]any) (*stack, error) {
	s := &stack{b: b, dir: dir}
	return s, b.prepare(ctx, s, file, overrides)
}

func (b *bench) prepare(ctx context.Context, s *stack, file string, overrides map[string]any) error {
	b.stacks++
	s.name = fmt.Sprintf("%s-%d", b.id, b.stacks)
	values := map[string]any{
		"nginx.httpPort": freePort(), "nginx.httpsPort": freePort(),
		"networks.edgeSubnet": b.subnet(), "networks.backendSubnet": b.subnet(),
		"volumes.data": s.name + "-data", "volumes.retain": false,
	}
	for key, value := range overrides {
		if value == "" && strings.HasPrefix(key, "volumes.") {
			value = s.name + strings.Replace(key, "volumes.", "-", 1)
		}
		values[key] = value
	}
	if err := s.writeConfig(file, values); err != nil {
		return err
	}
	return s.init(ctx)
}

func (s *stack) init(ctx context.Context) error {
	state := filepath.Join(s.b.work, "state-"+s.name)
	s.env = append(s.env, "PULUMI_BACKEND_URL=file://"+state, "PULUMI_CONFIG_PASSPHRASE=bench", "PULUMI_SKIP_UPDATE_CHECK=true")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	_, _, err := s.pulumi(ctx, nil, "stack", "init", s.name)
	s.b.later(s.destroy)
	return err
}

func (s *stack) writeConfig(file string, values map[string]any) error {
	data, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		return err
	}
	var document struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for key, value := range values {
		set(document.Config, "tarot:"+key, value)
	}
	if data, err = yaml.Marshal(document); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "Pulumi."+s.name+".yaml"), data, 0o600)
}

func set(tree map[string]any, path string, value any) {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		tree[head] = value
		return
	}
	if _, ok := tree[head].(map[string]any); !ok {
		tree[head] = map[string]any{}
	}
	set(tree[head].(map[string]any), rest, value)
}

func (s *stack) pulumi(ctx context.Context, line func(string), args ...string) (string, time.Duration, error) {
	args = append(append([]string{"pulumi"}, args...), "--non-interactive", "--color", "never")
	if args[1] != "stack" || args[2] != "init" {
		args = append(args, "--stack", s.name)
	}
	if s.bin != "" {
		for folder := range strings.SplitSeq(s.bin, ":") {
			if program := filepath.Join(folder, "pulumi"); exists(program) {
				args[0] = program
				break
			}
		}
	}
	return command{dir: s.dir, env: s.env, only: s.only, line: line, args: args}.run(ctx)
}

// upTimes is how long an `up` took, and its image alone.
type upTimes struct{ whole, image time.Duration }

var imageStep = regexp.MustCompile(`RemoteImage backend-image (creating|created)`)

// up brings the stack up, and takes the image's time from when the CLI tells of it.
func (s *stack) up(ctx context.Context) (upTimes, error) {
	var t upTimes
	var began time.Time
	_, whole, err := s.pulumi(ctx, func(line string) {
		switch step := imageStep.FindStringSubmatch(line); {
		case step == nil:
		case step[1] == "creating" && began.IsZero():
			began = time.Now()
		case step[1] == "created" && !began.IsZero():
			t.image = time.Since(began)
		}
	}, "up", "--yes", "--skip-preview")
	t.whole = whole
	return t, err
}

func (s *stack) output(ctx context.Context, name string) (string, error) {
	out, _, err := s.pulumi(ctx, nil, "stack", "output", name)
	return strings.TrimSpace(out), err
}

// services are the containers' names, by workload.
func (s *stack) services(ctx context.Context) (map[string]struct{ Names []string }, error) {
	out, _, err := s.pulumi(ctx, nil, "stack", "output", "services", "--json")
	if err != nil {
		return nil, err
	}
	services := map[string]struct{ Names []string }{}
	return services, json.Unmarshal([]byte(out), &services)
}

// destroy leaves nothing of the stack; more than once does no harm.
func (s *stack) destroy(ctx context.Context) error {
	if s.name == "" {
		return nil
	}
	image, _ := s.output(ctx, "image")
	_, _, err := s.pulumi(ctx, nil, "destroy", "--yes", "--skip-preview")
	if err == nil {
		s.name = ""
		err = errors.Join(s.b.dropImage(ctx, image), s.b.removeRecords(ctx))
	}
	return err
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // a machine without a free port
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return n
}

// subnet is one of 512 that nothing else here is likely to have.
func (b *bench) subnet() string {
	if b.subnets == nil {
		b.subnets = rand.Perm(512)
	}
	n := b.subnets[0]
	b.subnets = b.subnets[1:]
	return fmt.Sprintf("10.%d.%d.0/24", 216+n/256, n%256)
}
