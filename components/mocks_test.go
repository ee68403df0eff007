package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
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

	"tarot-platform/components/runtime"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/preflight"
	"tarot-platform/internal/release"
	"tarot-platform/internal/state"
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
	before  map[string]state.Volume
	uses    []engine.Use
	// operation is what the deploy is a step of.
	operation string
	// checked gets the checklist, and guarded is what the machine says of its firewall.
	checked func(checks.Report) error
	guarded preflight.Guarded
	runtime runtime.Runtime    // nil: that of the configuration
	seen    func(registration) // as the provider has to make it; nil: nobody looks

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
	registered := registration{args.TypeToken, args.Name, plain(resource.NewProperty(in)).(map[string]any), args.RegisterRPC}
	r.mu.Lock()
	r.all = append(r.all, registered)
	r.mu.Unlock()
	if r.stage == preview {
		return "", args.Inputs, nil
	}
	if r.seen != nil {
		r.seen(registered)
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

// warnings is the log of a run.
type warnings struct {
	pulumi.Log
	mu    sync.Mutex
	texts []string
	told  []string
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

func (w *warnings) Info(text string, _ *pulumi.LogArgs) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, text)
	return nil
}

// run is one run of the program.
type run struct {
	*recorder
	engine   *fakeEngine
	warnings *warnings
	outputs  map[string]output
	kept     []string
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

// pinnedRelease is its name.
const pinnedRelease = "r00000000aa"

func deployAs(cfg config.Config, rec *recorder, docker *fakeEngine, pinned bool) *run {
	r := &run{recorder: rec, engine: docker, warnings: &warnings{}, outputs: map[string]output{}}
	r.err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		ctx.Log = r.warnings
		if err := ctx.RegisterStackTransformation(openUnknownSecrets(rec.stage)); err != nil {
			return err
		}
		var of func(string, runtime.Stack, []string) (runtime.Runtime, error)
		if rec.runtime != nil {
			of = func(string, runtime.Stack, []string) (runtime.Runtime, error) { return rec.runtime, nil }
		}
		var from func(context.Context, string) map[string]string
		if docker.origin != nil {
			from = func(context.Context, string) map[string]string { return docker.origin }
		}
		platform, err := NewPlatform(ctx, "platform", &PlatformArgs{Origin: from, Scan: docker.scan, Exact: docker.exact, Config: cfg, Engine: docker, Prefix: "tarot-test", Project: "tarot", Check: docker.check, Dial: docker.dial, Sleep: func(d time.Duration) { docker.slept = d }, Pinned: pinned, Operation: rec.operation, Checked: rec.checked, Guarded: rec.guard, Release: release.Release{Name: pinnedRelease}, Volumes: rec.before, Uses: rec.uses, Runtime: of, Jobs: docker.jobs, Known: docker.known, Scheduler: compiled("scheduler"), Helper: compiled("backup"), Archiving: compiled("postgres"), Pooling: compiled("pooler"), ACME: compiled("acme")})
		if err != nil {
			return err
		}
		r.kept = platform.Declared
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

// compiled stands for a program, which takes a while to compile.
func compiled(program string) Compiler {
	return func(_ context.Context, platform string) (buildcontext.Build, error) {
		b := buildcontext.Build{Context: ".build/" + program, Dockerfile: "Dockerfile", Platform: platform}
		err := os.MkdirAll(b.Context, 0o755)
		return b, errors.Join(err, os.WriteFile(b.Context+"/Dockerfile", []byte("FROM scratch\n"), 0o644))
	}
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
