package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"tarot-platform/internal/config"
	"tarot-platform/internal/config/configtest"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/release"
	"tarot-platform/internal/smoke"
)

// stage is when the program runs.
type stage int

const (
	up        stage = iota
	preview         // nothing exists yet: ids and computed outputs are unknown
	unchanged       // a preview of what exists
)

func (s stage) String() string { return [...]string{"up", "preview", "preview of what exists"}[s] }

// registration is a resource as the program asked for it.
type registration struct {
	Type, Name string
	// In is the inputs as plain values; see sealed and unknown.
	In  map[string]any
	RPC *pulumirpc.RegisterResourceRequest
}

type (
	sealed  struct{ value any }
	unknown struct{}
)

// at follows a path of keys; a number picks from a list. Secrets are opened.
func (r registration) at(path ...any) any { return at(r.In, path...) }

func at(value any, path ...any) any {
	for _, step := range path {
		if s, ok := value.(sealed); ok {
			value = s.value
		}
		switch step := step.(type) {
		case string:
			members, _ := value.(map[string]any)
			value = members[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// list is what is at the path, a list or nothing.
func (r registration) list(path ...any) []any {
	all, _ := r.at(path...).([]any)
	return all
}

// plain makes Go values of properties.
func plain(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return sealed{plain(v.SecretValue().Element)}
	case v.IsComputed() || v.IsOutput():
		return unknown{}
	case v.IsArray():
		all := []any{}
		for _, element := range v.ArrayValue() {
			all = append(all, plain(element))
		}
		return all
	case v.IsObject():
		all := map[string]any{}
		for key, member := range v.ObjectValue() {
			all[string(key)] = plain(member)
		}
		return all
	}
	return v.V
}

// recorder is the mock of Pulumi's engine. Its resources answer with their
// inputs and what the provider would compute.
type recorder struct {
	stage   stage
	renamed string // the name that volumes have in the state, if another

	mu   sync.Mutex
	all  []registration
	done int // how many resources registered their outputs
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	// args.Inputs lacks what is unknown.
	keep := plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true}
	in, err := plugin.UnmarshalProperties(args.RegisterRPC.GetObject(), keep)
	if err != nil {
		return "", nil, err
	}
	r.mu.Lock()
	r.all = append(r.all, registration{args.TypeToken, args.Name, plain(resource.NewProperty(in)).(map[string]any), args.RegisterRPC})
	r.mu.Unlock()
	if r.stage == preview {
		return "", args.Inputs, nil
	}
	state := in.Copy()
	maps.Copy(state, r.computed(args.TypeToken, args.Name, in))
	for _, key := range args.RegisterRPC.GetAdditionalSecretOutputs() {
		if value, ok := state[resource.PropertyKey(key)]; ok && !value.IsSecret() {
			state[resource.PropertyKey(key)] = resource.MakeSecret(value)
		}
	}
	return args.Name + "-id", state, nil
}

func (r *recorder) computed(token, name string, in resource.PropertyMap) resource.PropertyMap {
	more := map[string]any{}
	switch token {
	case "random:index/randomPassword:RandomPassword":
		more["result"] = generated(name)
	case "random:index/randomBytes:RandomBytes":
		sum := sha256.Sum256([]byte(name))
		more["hex"] = hex.EncodeToString(sum[:])
	case "random:index/randomId:RandomId":
		more["hex"] = "0a1b2c3d"
	case "docker:index/remoteImage:RemoteImage":
		more["imageId"] = "sha256:" + name
	case "docker:index/volume:Volume":
		if r.renamed != "" {
			more["name"] = r.renamed
		}
	}
	if _, ok := in["name"]; !ok {
		more["name"] = name + "-1a2b3c4"
	}
	return resource.NewPropertyMapFromMap(more)
}

// generated is the value of a random password.
func generated(name string) string { return "generated-for-" + name }

func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, fmt.Errorf("the program calls %s", args.Token)
}

func (r *recorder) RegisterResourceOutputs() (*emptypb.Empty, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	return &emptypb.Empty{}, nil
}

// fakeEngine records what it is asked.
type fakeEngine struct {
	remote   bool
	standIn  string
	failures map[string]error // by the name of a container or service, or a smoke test's host
	runs     bool             // nginx does
	rotation []string         // that nginx has
	attempt  int              // of every task
	force    int              // of every service
	compared engine.Comparison
	releases []release.Release

	mu    sync.Mutex
	asked []string
}

func (f *fakeEngine) ask(name, question string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, question)
	return f.failures[name]
}

func (f *fakeEngine) AwaitContainer(_ context.Context, id, image string, within time.Duration) error {
	name := strings.TrimSuffix(id, "-id")
	return f.ask(name, fmt.Sprintf("container %s runs %s within %s", name, image, within))
}

func (f *fakeEngine) AwaitTask(_ context.Context, id string, within time.Duration) error {
	name := strings.TrimSuffix(id, "-id")
	return f.ask(name, fmt.Sprintf("task %s ends within %s", name, within))
}

func (f *fakeEngine) AwaitService(_ context.Context, name, image string, replicas int, within time.Duration) error {
	return f.ask(name, fmt.Sprintf("service %s runs %d of %s within %s", name, replicas, image, within))
}

func (f *fakeEngine) StopContainer(_ context.Context, id string, _ time.Duration) error {
	return f.ask("", "stop "+strings.TrimSuffix(id, "-id"))
}

func (f *fakeEngine) ScaleService(_ context.Context, name string, replicas int) error {
	return f.ask("", fmt.Sprintf("scale %s to %d", name, replicas))
}

func (f *fakeEngine) Signal(_ context.Context, prefix, workload, signal string) error {
	return f.ask("", signal+" to "+prefix+"-"+workload)
}

func (f *fakeEngine) Retain(_ context.Context, prefix, current, repository string, keep int) ([]string, error) {
	return nil, f.ask("retain", fmt.Sprintf("retain %d of %s and %s", keep, prefix, repository))
}

func (f *fakeEngine) Attempt(context.Context, string, string) (int, error) { return f.attempt, nil }
func (f *fakeEngine) ServiceForce(context.Context, string) (int, error)    { return f.force, nil }
func (f *fakeEngine) CompareServices(context.Context, string, string) (engine.Comparison, error) {
	return f.compared, nil
}
func (f *fakeEngine) Logs(context.Context, string) string                { return "\nthe log" }
func (f *fakeEngine) Tail(context.Context, string, string) string        { return "\nthe log" }
func (f *fakeEngine) Runs(context.Context, string, string) (bool, error) { return f.runs, nil }
func (f *fakeEngine) Releases(context.Context, string) ([]release.Release, error) {
	return f.releases, nil
}

func (f *fakeEngine) dial(string, string) NginxClient { return fakeNginx{f} }

// fakeNginx runs an earlier configuration until it is told to reload.
type fakeNginx struct{ *fakeEngine }

func (f fakeNginx) State(context.Context) (edge.State, error) {
	if !f.runs {
		return edge.State{}, errors.New("nobody listens")
	}
	return edge.State{Configuration: "earlier", Rotation: f.rotation}, nil
}

func (f fakeNginx) Await(_ context.Context, _ string, within time.Duration) error {
	return f.ask("nginx", fmt.Sprintf("nginx runs its configuration within %s", within))
}

// check is the smoke test, and knows its host by the token's end.
func (f *fakeEngine) check(_ context.Context, test smoke.Test, within time.Duration) error {
	_, host, _ := strings.Cut(test.Header.Get(edge.Header), ".")
	return f.ask("smoke "+host, fmt.Sprintf("smoke test of %s%s %s within %s", test.Base, test.Health, host, within))
}

func (f *fakeEngine) Image(_ context.Context, reference string) (engine.Image, error) {
	image := engine.Image{Start: []string{"/start", "it"}, Health: []string{"CMD", "/healthy"}}
	if f.standIn != "" {
		image.StandIn = f.standIn + " for " + reference
	}
	return image, f.failures[reference]
}

func (f *fakeEngine) Platform() string { return "linux/amd64" }
func (f *fakeEngine) Local() bool      { return !f.remote }
func (f *fakeEngine) Host() string {
	if f.remote {
		return "docker.example"
	}
	return "localhost"
}

// warnings is the log of a run.
type warnings struct {
	pulumi.Log
	mu    sync.Mutex
	texts []string
}

func (w *warnings) Warn(text string, _ *pulumi.LogArgs) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
	return nil
}

// output is what has become of a stack output.
type output struct {
	internals.UnsafeAwaitOutputResult
	err error
}

// run is one run of the program.
type run struct {
	*recorder
	engine   *fakeEngine
	warnings *warnings
	outputs  map[string]output
	err      error
}

// deploy runs the platform with a configuration, in a project folder as made by
// inProject.
func deploy(cfg config.Config, rec *recorder, docker *fakeEngine) *run {
	return deployAs(cfg, rec, docker, false)
}

// deployPinned does the same with the configuration of an earlier release.
func deployPinned(cfg config.Config, rec *recorder, docker *fakeEngine) *run {
	return deployAs(cfg, rec, docker, true)
}

func deployAs(cfg config.Config, rec *recorder, docker *fakeEngine, pinned bool) *run {
	r := &run{recorder: rec, engine: docker, warnings: &warnings{}, outputs: map[string]output{}}
	r.err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		ctx.Log = r.warnings
		if err := ctx.RegisterStackTransformation(openUnknownSecrets(rec.stage)); err != nil {
			return err
		}
		platform, err := NewPlatform(ctx, "platform", &PlatformArgs{Config: cfg, Engine: docker, Prefix: "tarot-test", Check: docker.check, Dial: docker.dial, Sleep: func(time.Duration) {}, Pinned: pinned})
		if err != nil {
			return err
		}
		for name, value := range platform.Outputs {
			ctx.Export(name, value)
			result, err := internals.UnsafeAwaitOutput(ctx.Context(), pulumi.ToOutput(value))
			r.outputs[name] = output{result, err}
		}
		return nil
	}, pulumi.WithMocks("tarot", "test", rec), func(info *pulumi.RunInfo) { info.DryRun = rec.stage != up })
	slices.SortFunc(rec.all, func(a, b registration) int { return strings.Compare(a.Type+a.Name, b.Type+b.Name) })
	return r
}

// openUnknownSecrets is for a flaw of Pulumi's mocks: they refuse a resource with
// a secret that is not known yet. In a preview, such inputs lose their mark.
func openUnknownSecrets(s stage) pulumi.ResourceTransformation {
	open := func(in pulumi.StringInput) pulumi.StringInput {
		return pulumi.Unsecret(in.ToStringOutput()).(pulumi.StringOutput)
	}
	return func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		if s != preview {
			return nil
		}
		switch props := args.Props.(type) {
		case *docker.SecretArgs:
			props.Data = open(props.Data)
		case *random.RandomIdArgs:
			keepers := props.Keepers.(pulumi.StringMap)
			keepers["content"] = open(keepers["content"])
		case *docker.ContainerArgs:
			uploads, _ := props.Uploads.(docker.ContainerUploadArray)
			for i, u := range uploads {
				upload := u.(docker.ContainerUploadArgs)
				upload.Content = open(upload.Content.ToStringPtrOutput().Elem())
				uploads[i] = upload
			}
		default:
			return nil
		}
		return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: args.Opts}
	}
}

// succeed is deploy for a run that has to succeed.
func succeed(t *testing.T, cfg config.Config, s stage) *run {
	t.Helper()
	r := deploy(cfg, &recorder{stage: s}, &fakeEngine{})
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

// find returns the resources of a type, which is given without its package.
func (r *run) find(kind string) []registration {
	return slices.DeleteFunc(slices.Clone(r.all), func(x registration) bool { return x.Type[strings.LastIndex(x.Type, ":")+1:] != kind })
}

// has is true where a resource is declared, by its type and name.
func (r *run) has(resource string) bool {
	kind, name, _ := strings.Cut(resource, " ")
	return slices.ContainsFunc(r.find(kind), func(x registration) bool { return x.Name == name })
}

// get returns the one resource of a name and type.
func (r *run) get(t *testing.T, kind, name string) registration {
	t.Helper()
	for _, x := range r.find(kind) {
		if x.Name == name {
			return x
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return registration{}
}

// repository is where the stack files are, whatever a test's folder is.
var repository = func() string {
	folder, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return folder
}()

// inProject moves to a folder with an application.
func inProject(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("app", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("app/Dockerfile", []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// stackFile loads a stack's committed configuration, changes it and checks that
// it is still valid.
func stackFile(t *testing.T, name string, changes ...func(*config.Config)) config.Config {
	t.Helper()
	raw := configtest.Raw(t, configtest.Tree(t, filepath.Join(repository, "Pulumi."+name+".yaml")))
	cfg, err := config.Load(raw, config.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	cfg = cfg.With(config.Application{Migrate: []string{"./migrate"}, Smoke: config.Smoke{Read: "/cards"}})
	for _, change := range changes {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func asContainers(c *config.Config) { c.Runtime = "containers" }

func behindNginx(c *config.Config) { c.Nginx.Enabled = true }

// ownKey is as long as it has to be.
const ownKey = "own-jwt-key-of-thirty-two-bytes-and-more"

// ownSecrets sets what users can set themselves.
func ownSecrets(c *config.Config) {
	c.Backend.Secrets = []string{"API_KEY"}
	c.Secrets = map[string]string{"jwtSecretKey": ownKey, "adminPassword": "own-password", "API_KEY": "own-api-key"}
}

// stacks are the stack files as they are committed and with the switches that
// change the graph.
var stacks = map[string]struct {
	file    string
	changes []func(*config.Config)
}{
	"dev":                   {"dev", nil},
	"prod":                  {"prod", nil},
	"prod as containers":    {"prod", []func(*config.Config){asContainers}},
	"dev behind nginx":      {"dev", []func(*config.Config){behindNginx}},
	"prod with own secrets": {"prod", []func(*config.Config){ownSecrets}},
}

// stack loads one of stacks, with further changes.
func stack(t *testing.T, name string, changes ...func(*config.Config)) config.Config {
	t.Helper()
	s, ok := stacks[name]
	if !ok {
		t.Fatalf("there is no stack %q", name)
	}
	return stackFile(t, s.file, slices.Concat(s.changes, changes)...)
}

// seen are the runs of forEveryStack, which its tests only look at.
var seen = map[string]struct {
	cfg config.Config
	run *run
}{}

// forEveryStack runs a test for all stacks, when deployed and when previewed.
func forEveryStack(t *testing.T, test func(*testing.T, config.Config, *run)) {
	t.Helper()
	for name := range stacks {
		for _, s := range []stage{up, preview, unchanged} {
			id := name + "/" + s.String()
			t.Run(id, func(t *testing.T) {
				known, ok := seen[id]
				if !ok {
					inProject(t)
					known.cfg = stack(t, name)
					known.run = succeed(t, known.cfg, s)
					seen[id] = known
				}
				test(t, known.cfg, known.run)
			})
		}
	}
}
