package components

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	assets "tarot-platform/assets/nginx"
	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/certificate"
	"tarot-platform/internal/config"
)

const (
	// nginxUser is the uid and gid of the user nginx in the official image.
	nginxUser = "101:101"
	// An unprivileged process has no ports below 1024.
	nginxHTTP, nginxHTTPS = 8080, 8443
	nginxStatic           = "/srv/static"
	nginxFolder           = "/run/nginx" // of its configuration
	// nginxStopGrace is short: while it finishes what it has begun, nobody listens
	// on its ports, and the next one can not.
	nginxStopGrace = 10 * time.Second
	// keptBody is the largest request body that is kept until it is complete. All of
	// them get a quarter of nginx's memory.
	keptBody = 1 << 20
	// settle is how long the earlier replicas go on after a reload: connections in
	// use come over to the new ones with their next request.
	settle      = 1500 * time.Millisecond
	installTime = 30 * time.Second
)

// NginxArgs describe the edge.
type NginxArgs struct {
	Config  config.Config
	Stack   runtime.Stack
	Runtime runtime.Runtime
	Image   *Image
	Storage *Storage
	// Token is what the deploy's own requests show.
	Token    pulumi.StringOutput
	Networks []*workload.Network
	// Rotation are the hosts that users' requests go to.
	Rotation pulumi.StringArray
	// Addresses are where they were found.
	Addresses pulumi.StringArray
	// Hosts are the names that a self-signed certificate is for.
	Hosts []string
	// DependsOn must be there before it starts.
	DependsOn []pulumi.Resource
}

// Nginx is the reverse proxy: the only workload that publishes ports in prod.
type Nginx struct {
	pulumi.ResourceState
	*runtime.Running

	// Configuration names what it has to run.
	Configuration pulumi.StringOutput
}

// NewNginx declares nginx, its configuration and its certificate. These are in a
// volume, where a task tests and then puts them; nginx reads them when it starts,
// and when it is told to reload, so that a change in them restarts nothing.
func NewNginx(ctx *pulumi.Context, name string, args *NginxArgs, opts ...pulumi.ResourceOption) (*Nginx, error) {
	n := &Nginx{}
	if err := ctx.RegisterComponentResource("tarot:index:Nginx", name, n, opts...); err != nil {
		return nil, err
	}
	volume, installed, err := args.install(ctx, name, n)
	if err != nil {
		return nil, fmt.Errorf("nginx %q: %w", name, err)
	}
	if n.Running, err = args.Runtime.Run(ctx, args.workload(volume, installed), runtime.Rollout{}, n); err != nil {
		return nil, fmt.Errorf("nginx %q: %w", name, err)
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"names": n.Names, "configuration": n.Configuration})
}

// installScript tests what was uploaded and then has it take the place of what
// is there, at once: nginx may be started at any moment.
const installScript = `set -eu
name=$(cat /run/config/name)
folder=` + nginxFolder + `
rm -rf "$folder/new"
mkdir "$folder/new"
cp /run/config/* /run/secrets/* "$folder/new/"
nginx -t -q -g 'user root;' -c "$folder/new/nginx.conf"
rm -rf "$folder/$name"
mv "$folder/new" "$folder/$name"
before=$(readlink "$folder/current" || :)
ln -sfn "$name" "$folder/current.new"
mv -T "$folder/current.new" "$folder/current"
for old in "$folder"/*; do
  case ${old##*/} in current | "$name" | "$before") ;; *) rm -rf "$old" ;; esac
done
rm -f /run/secrets/*
`

func (args *NginxArgs) install(ctx *pulumi.Context, name string, n *Nginx) (*docker.Volume, pulumi.Resource, error) {
	secrets, err := args.secrets(ctx, name, n)
	if err != nil {
		return nil, nil, err
	}
	text := args.text(secrets)
	n.Configuration = text.ApplyT(func(v any) string { return v.(named).name }).(pulumi.StringOutput)
	volume, err := docker.NewVolume(ctx, name+"-configuration", &docker.VolumeArgs{
		Name: pulumi.String(args.Stack.Prefix + "-" + name + "-configuration"),
	}, pulumi.Parent(n), pulumi.DeleteBeforeReplace(false))
	if err != nil {
		return nil, nil, err
	}
	task, err := runtime.Once(ctx, args.Stack, runtime.Task{
		Workload: workload.Workload{
			Name:    name + "-configuration",
			Image:   args.Image.Image,
			Command: []string{"/bin/sh", "-c", installScript},
			Files:   args.files(text, n.Configuration),
			Secrets: secrets,
			Mounts:  []workload.Mount{{Kind: workload.Volume, Source: volume.Name, Target: nginxFolder}},
			Limits:  workload.Limits{Memory: int64(args.Config.Nginx.Memory)},
			Logging: logging(args.Config.Logging, name+"-configuration"),
			// The volume belongs to root, and nginx itself may not write there.
			User: "0:0",
		},
		Within: installTime,
	}, n)
	if err != nil {
		return nil, nil, err
	}
	return volume, task.Resource, task.Await()
}

// files are what everybody may read.
func (args *NginxArgs) files(text pulumi.Output, name pulumi.StringOutput) []workload.File {
	files := []workload.File{
		{Name: "nginx.conf", Content: text.ApplyT(func(v any) string { return v.(named).text }).(pulumi.StringOutput)},
		{Name: "name", Content: name},
		{Name: assets.TypesFile, Content: pulumi.String(assets.Types())},
	}
	if args.Config.Monitoring.Enabled {
		files = append(files, workload.File{Name: assets.MetricsFile, Content: pulumi.String(assets.Metrics())})
	}
	return files
}

// startScript bounds how long a nginx that is to stop finishes what it has begun:
// nobody listens meanwhile, and one WebSocket would have it wait for all of its
// time to stop. (worker_shutdown_timeout would do the same, but at reloads, too.)
const startScript = `nginx -c ` + nginxFolder + `/current/nginx.conf -g 'daemon off;' &
nginx=$!
trap 'kill -HUP "$nginx"' HUP
trap 'kill -QUIT "$nginx"; sleep 1; kill -TERM "$nginx"' TERM QUIT
while kill -0 "$nginx" 2>/dev/null; do
  wait "$nginx"
  status=$?
done
exit "$status"
`

// named is a configuration with its name.
type named struct{ name, text string }

// text renders the configuration. It is named by all that nginx reads: the token
// among it is why the name tells nothing of the key.
func (args *NginxArgs) text(secrets []workload.Secret) pulumi.Output {
	parts := []any{args.Rotation.ToStringArrayOutput(), args.Addresses.ToStringArrayOutput()}
	for _, s := range secrets {
		parts = append(parts, s.Value)
	}
	return pulumi.Unsecret(pulumi.All(parts...).ApplyT(func(values []any) (named, error) {
		c := args.render()
		c.Hosts = values[0].([]string)
		c.Addresses = slices.DeleteFunc(slices.Clone(values[1].([]string)), func(address string) bool { return address == "" })
		text, err := assets.Render(c)
		if err != nil {
			return named{}, err
		}
		sum := sha256.New()
		fmt.Fprintf(sum, "%q", append(values[2:], text, assets.Types()))
		if c.Metrics {
			fmt.Fprintf(sum, "%q", assets.Metrics())
		}
		c.Name = hex.EncodeToString(sum.Sum(nil)[:6])
		text, err = assets.Render(c)
		return named{c.Name, text}, err
	}))
}

// secrets are the files beside nginx.conf that not everybody may read.
func (args *NginxArgs) secrets(ctx *pulumi.Context, name string, parent pulumi.Resource) ([]workload.Secret, error) {
	candidate := args.Token.ApplyT(assets.Candidate).(pulumi.StringOutput)
	secrets := []workload.Secret{{Name: assets.CandidateFile, Value: candidate}}
	if args.Config.Nginx.TLS.Mode == "off" {
		return secrets, nil
	}
	pair, err := args.certificate(ctx, name, parent)
	return append(secrets, pair...), err
}

func (args *NginxArgs) workload(volume *docker.Volume, installed pulumi.Resource) workload.Workload {
	cfg := args.Config.Nginx
	w := workload.Workload{
		Name:    "nginx",
		Image:   args.Image.Image,
		Command: []string{"/bin/sh", "-c", startScript},
		Mounts: []workload.Mount{
			{Kind: workload.Tmpfs, Target: "/tmp"},
			{Kind: workload.Volume, Source: volume.Name, Target: nginxFolder, ReadOnly: true},
		},
		Ports: []workload.Port{{Address: cfg.Address, Host: cfg.HTTPPort, Container: nginxHTTP}},
		Health: workload.Health{
			Test:     []string{"CMD", "curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8081/healthz"},
			Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 15 * time.Second, Retries: 3,
		},
		Networks:   args.Networks,
		Limits:     workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory)},
		Replicas:   1,
		User:       nginxUser,
		StopSignal: "SIGQUIT",
		StopGrace:  nginxStopGrace,
		DependsOn:  append(slices.Clone(args.DependsOn), installed),
	}
	w.Logging = logging(args.Config.Logging, w.Name)
	if args.Storage.Static != nil {
		w.Mounts = append(w.Mounts, workload.Mount{Kind: workload.Volume, Source: args.Storage.Static, Target: nginxStatic, ReadOnly: true})
	}
	if cfg.TLS.Mode != "off" {
		w.Ports = append(w.Ports, workload.Port{Address: cfg.Address, Host: cfg.HTTPSPort, Container: nginxHTTPS})
	}
	return w
}

func (args *NginxArgs) render() assets.Config {
	cfg, paths := args.Config.Nginx, args.Config.Backend.Paths
	c := assets.Config{
		Workers:        max(1, int(math.Ceil(cfg.CPUs))),
		BackendPort:    args.Config.Backend.Port,
		TLS:            cfg.TLS.Mode != "off",
		Maintenance:    args.Config.Maintenance,
		HTTPSSuffix:    portSuffix(cfg.HTTPSPort, 443),
		TrustedProxies: cfg.TrustedProxies,
		MaxBody:        int64(cfg.MaxBody),
		KeptBodies:     max(1, int(cfg.Memory/4/keptBody)),
		RequestRate:    cfg.RequestRate,
		Burst:          cfg.Burst,
		ProxyTimeout:   strconv.Itoa(int(cfg.ProxyTimeout/time.Second)) + "s",
		HealthPath:     paths.Health,
		MetricsPath:    paths.Metrics,
		StaticPath:     paths.Static,
		StaticMaxAge:   int(cfg.StaticMaxAge / time.Second),
	}
	if args.Config.Runtime == "containers" {
		c.Any = "backend" // every replica's alias
	}
	if args.Storage.Static != nil {
		c.StaticFolder = nginxStatic
	}
	if m := args.Config.Monitoring; m.Enabled {
		c.Metrics = true
		if m.Grafana.Enabled {
			c.GrafanaPath = m.Grafana.Path
		}
	}
	return c
}

// portSuffix is ":port" where a URL has to name the port.
func portSuffix(port, usual int) string {
	if port == usual {
		return ""
	}
	return ":" + strconv.Itoa(port)
}

// certificate is the given one, or one that is made from a seed in the state.
func (args *NginxArgs) certificate(ctx *pulumi.Context, name string, parent pulumi.Resource) ([]workload.Secret, error) {
	files := func(pair pulumi.Output) []workload.Secret {
		part := func(pick func(certificate.Pair) string) pulumi.StringOutput {
			return pulumi.ToSecret(pair.ApplyT(func(v any) string { return pick(v.(certificate.Pair)) })).(pulumi.StringOutput)
		}
		return []workload.Secret{
			{Name: assets.CertificateFile, Value: part(func(p certificate.Pair) string { return p.Certificate })},
			{Name: assets.KeyFile, Value: part(func(p certificate.Pair) string { return p.Key })},
		}
	}
	if args.Config.Nginx.TLS.Mode == "given" {
		pair, err := args.Config.GivenCertificate()
		if err != nil {
			return nil, err
		}
		return files(pulumi.ToOutput(pair)), nil
	}
	seed, err := random.NewRandomBytes(ctx, name+"-tls-seed", &random.RandomBytesArgs{Length: pulumi.Int(32)},
		pulumi.Parent(parent), pulumi.AdditionalSecretOutputs([]string{"hex", "base64"}))
	if err != nil {
		return nil, err
	}
	return files(seed.Hex.ApplyT(func(text string) (certificate.Pair, error) {
		bytes, err := hex.DecodeString(text)
		if err != nil {
			return certificate.Pair{}, fmt.Errorf("tls seed: %w", err)
		}
		return certificate.SelfSigned(bytes, args.Hosts, time.Now())
	})), nil
}
