package components

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

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
	certificateFile       = "tls_certificate"
	keyFile               = "tls_key"
)

// NginxArgs describe the edge.
type NginxArgs struct {
	Config   config.Config
	Runtime  runtime.Runtime
	Image    *Image
	Storage  *Storage
	Networks []*workload.Network
	// Hosts are the names that a self-signed certificate is for.
	Hosts []string
	// DependsOn must be there before it starts.
	DependsOn []pulumi.Resource
}

// Nginx is the reverse proxy: the only workload that publishes ports in prod.
type Nginx struct {
	pulumi.ResourceState
	*runtime.Running
}

// NewNginx declares nginx, its configuration and its certificate.
func NewNginx(ctx *pulumi.Context, name string, args *NginxArgs, opts ...pulumi.ResourceOption) (*Nginx, error) {
	n := &Nginx{}
	if err := ctx.RegisterComponentResource("tarot:index:Nginx", name, n, opts...); err != nil {
		return nil, err
	}
	w, err := args.workload(ctx, name, n)
	if err != nil {
		return nil, fmt.Errorf("nginx %q: %w", name, err)
	}
	if n.Running, err = args.Runtime.Run(ctx, w, n); err != nil {
		return nil, fmt.Errorf("nginx %q: %w", name, err)
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"names": pulumi.ToStringArray(n.Names), "ready": n.Ready})
}

func (args *NginxArgs) workload(ctx *pulumi.Context, name string, parent pulumi.Resource) (workload.Workload, error) {
	cfg := args.Config.Nginx
	text, err := assets.Render(args.render())
	if err != nil {
		return workload.Workload{}, err
	}
	w := workload.Workload{
		Name:    "nginx",
		Image:   args.Image.Image,
		Command: []string{"nginx", "-c", workload.ConfigDir + "/nginx.conf", "-g", "daemon off;"},
		Files:   []workload.File{{Name: "nginx.conf", Content: text}},
		Mounts:  []workload.Mount{{Kind: workload.Tmpfs, Target: "/tmp"}},
		Ports:   []workload.Port{{Address: cfg.Address, Host: cfg.HTTPPort, Container: nginxHTTP}},
		Health: workload.Health{
			Test:     []string{"CMD", "curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8081/healthz"},
			Interval: 2 * time.Second, Timeout: 5 * time.Second, StartPeriod: 15 * time.Second, Retries: 3,
		},
		Networks:   args.Networks,
		Limits:     workload.Limits{CPUs: cfg.CPUs, Memory: int64(cfg.Memory)},
		Replicas:   1,
		User:       nginxUser,
		StopSignal: "SIGQUIT", // finish what has begun
		StopGrace:  args.Config.Backend.StopGrace,
		DependsOn:  args.DependsOn,
	}
	w.Logging = logging(args.Config.Logging, w.Name)
	if args.Storage.Static != nil {
		w.Mounts = append(w.Mounts, workload.Mount{Kind: workload.Volume, Source: args.Storage.Static, Target: nginxStatic, ReadOnly: true})
	}
	if cfg.TLS.Mode != "off" {
		w.Ports = append(w.Ports, workload.Port{Address: cfg.Address, Host: cfg.HTTPSPort, Container: nginxHTTPS})
		if w.Secrets, err = args.certificate(ctx, name, parent); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (args *NginxArgs) render() assets.Config {
	cfg, paths := args.Config.Nginx, args.Config.Backend.Paths
	c := assets.Config{
		Workers:      max(1, int(math.Ceil(cfg.CPUs))),
		BackendPort:  args.Config.Backend.Port,
		TLS:          cfg.TLS.Mode != "off",
		Certificate:  workload.Secret{Name: certificateFile}.Path(),
		Key:          workload.Secret{Name: keyFile}.Path(),
		HTTPSSuffix:  portSuffix(cfg.HTTPSPort, 443),
		HostSuffix:   portSuffix(cfg.HTTPPort, 80),
		MaxBody:      int64(cfg.MaxBody),
		RequestRate:  cfg.RequestRate,
		Burst:        cfg.Burst,
		ProxyTimeout: strconv.Itoa(int(cfg.ProxyTimeout/time.Second)) + "s",
		HealthPath:   paths.Health,
		MetricsPath:  paths.Metrics,
		StaticPath:   paths.Static,
		StaticMaxAge: int(cfg.StaticMaxAge / time.Second),
	}
	if c.TLS {
		c.HostSuffix = c.HTTPSSuffix
	}
	if args.Storage.Static != nil {
		c.StaticFolder = nginxStatic
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
			{Name: certificateFile, Value: part(func(p certificate.Pair) string { return p.Certificate })},
			{Name: keyFile, Value: part(func(p certificate.Pair) string { return p.Key })},
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
