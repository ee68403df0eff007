package components

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/sync/errgroup"

	"tarot-platform/components/runtime"
	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

const (
	// nobody is the user of the official images of Prometheus and its exporters.
	nobody = "65534:65534"
	// textfiles is where the deploy, and jobs of the operator's, put metrics for
	// node-exporter to show.
	textfiles = "/textfile"
)

// MonitoringArgs describe what watches the stack.
type MonitoringArgs struct {
	Config  config.Config
	Runtime runtime.Runtime
	Stack   runtime.Stack
	Storage *Storage
	// Before are the volumes in the stack's state.
	Before map[string]state.Volume
	// Inspector reads the images.
	Inspector Inspector
	// Places are the engine's.
	Places engine.Places
	// Networks: what is watched is on Watched, what watches on Own, and On Edge is
	// what has to be reached by nginx, or to reach the outside.
	Watched, Own, Edge *workload.Network
	// BaseURL is where the stack answers.
	BaseURL string
	// GrafanaPassword is the password of Grafana's user admin.
	GrafanaPassword pulumi.StringOutput
	// Release and ReleaseImage are what runs.
	Release, ReleaseImage string
}

// Monitoring is Prometheus, what it asks, and what shows and tells what it finds.
type Monitoring struct {
	pulumi.ResourceState

	// Services are its workloads, as the stack's output `services` tells of them.
	Services pulumi.Map
	// StandIns are their images that are none of the real ones.
	StandIns map[string]pulumi.StringOutput
	// GrafanaURL is where people find Grafana; empty: there is none.
	GrafanaURL string
}

// monitoring is what the steps of NewMonitoring share.
type monitoring struct {
	*Monitoring
	*MonitoringArgs
	ctx *pulumi.Context
}

// part is one workload of the monitoring.
type part struct {
	workload.Workload
	image string
	// volume is the kind of its own volume, and where that is mounted.
	volume, at string
}

// NewMonitoring declares the monitoring. In an update it returns when all of it is
// healthy. It follows the application: what is wrong with it holds no release up.
func NewMonitoring(ctx *pulumi.Context, name string, args *MonitoringArgs, opts ...pulumi.ResourceOption) (*Monitoring, error) {
	m := &monitoring{&Monitoring{Services: pulumi.Map{}, StandIns: map[string]pulumi.StringOutput{}}, args, ctx}
	if err := ctx.RegisterComponentResource("tarot:index:Monitoring", name, m.Monitoring, opts...); err != nil {
		return nil, err
	}
	m.GrafanaURL = m.grafanaURL()
	facts, err := m.volume("metrics")
	if err != nil {
		return nil, err
	}
	parts, err := m.parts(facts)
	if err != nil {
		return nil, fmt.Errorf("monitoring %q: %w", name, err)
	}
	var all errgroup.Group
	if ctx.DryRun() {
		all.SetLimit(1) // so that a preview tells of them in the same order each time
	}
	running := make([]*runtime.Running, len(parts))
	for i, p := range parts {
		image, err := NewImage(ctx, p.Name+"-image", &ImageArgs{Reference: p.image, Inspector: args.Inspector}, pulumi.Parent(m.Monitoring))
		if err != nil {
			return nil, err
		}
		parts[i].Image, m.StandIns[p.Name] = image.Image, image.StandIn
		all.Go(func() error {
			var err error
			running[i], err = m.run(parts[i])
			return err
		})
		if p.Name == nodeExporter {
			all.Go(func() error { return m.tell(image.Image, facts) })
		}
	}
	if err := all.Wait(); err != nil {
		return nil, fmt.Errorf("monitoring %q: %w", name, err)
	}
	for i, p := range parts {
		m.Services[p.Name] = describe(running[i], p.image, 1)
	}
	return m.Monitoring, ctx.RegisterResourceOutputs(m.Monitoring, pulumi.Map{"services": m.Services})
}

func (m *monitoring) parts(facts *docker.Volume) ([]part, error) {
	prometheus, err := m.prometheus()
	if err != nil {
		return nil, err
	}
	alertmanager, err := m.alertmanager()
	if err != nil {
		return nil, err
	}
	parts := []part{prometheus, alertmanager, m.node(facts), m.cadvisor()}
	if m.Config.Nginx.Enabled {
		parts = append(parts, m.blackbox())
	}
	if !m.Config.Monitoring.Grafana.Enabled {
		return parts, keepVolume(m.ctx, "monitoring-grafana", "monitoring.grafana.enabled is false", m.storage(), m.Monitoring)
	}
	grafana, err := m.grafana()
	return append(parts, grafana), err
}

// run declares a workload, with what all of them have.
func (m *monitoring) run(p part) (*runtime.Running, error) {
	w := p.Workload
	w.Replicas, w.Logging = 1, logging(m.Config.Logging, w.Name)
	if w.Networks == nil {
		w.Networks = distinct(m.Own)
	}
	if w.StopGrace == 0 {
		w.StopGrace = 10 * time.Second
	}
	w.Mounts = append(w.Mounts, workload.Mount{Kind: workload.Tmpfs, Target: "/tmp"})
	if p.volume != "" {
		volume, err := m.volume(p.volume)
		if err != nil {
			return nil, err
		}
		w.Exclusive = true
		w.Mounts = append(w.Mounts, workload.Mount{Kind: workload.Volume, Source: volume.Name, Target: p.at})
	}
	return m.Runtime.Run(m.ctx, w, runtime.Rollout{}, m)
}

// volume declares one that outlives the stack as the application's do.
func (m *monitoring) volume(kind string) (*docker.Volume, error) {
	return newVolume(m.ctx, "monitoring-"+kind, m.Stack.Prefix+"-"+kind, m.storage(), m.Monitoring)
}

func (args *MonitoringArgs) storage() *StorageArgs {
	return &StorageArgs{args.Config.Volumes, args.Before}
}

// keepMonitoring declares the volumes of a monitoring that was switched off, where
// Pulumi would remove them.
func keepMonitoring(ctx *pulumi.Context, name string, args *StorageArgs, opts ...pulumi.ResourceOption) error {
	m := &Monitoring{}
	if err := ctx.RegisterComponentResource("tarot:index:Monitoring", name, m, opts...); err != nil {
		return err
	}
	for _, volume := range slices.Sorted(maps.Keys(args.Before)) {
		if strings.HasPrefix(volume, name+"-") {
			if err := keepVolume(ctx, volume, "monitoring.enabled is false", args, m); err != nil {
				return err
			}
		}
	}
	return ctx.RegisterResourceOutputs(m, pulumi.Map{})
}

// answers is a health check in the words of the official images, which are made
// of busybox. Nothing waits for these but the first `up`.
func answers(url string) workload.Health {
	return workload.Health{
		Test:     []string{"CMD", "wget", "-q", "-O", "/dev/null", url},
		Interval: 5 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 3,
	}
}

// factsScript has the file appear when it is whole. The time is that of the
// deploy: the task runs when something in it has changed.
const factsScript = `set -eu
cd ` + textfiles + `
{
  printf '%s\n' "$1"
  echo "# HELP platform_deployed_timestamp_seconds When this release was deployed."
  echo "# TYPE platform_deployed_timestamp_seconds gauge"
  echo "platform_deployed_timestamp_seconds $(date +%s)"
} >.platform.prom.new
chmod 644 .platform.prom.new
mv .platform.prom.new platform.prom
`

// facts are what only the deploy knows, as metrics.
func (m *monitoring) facts() string {
	maintenance := 0
	if m.Config.Maintenance {
		maintenance = 1
	}
	return strings.Join([]string{
		"# HELP platform_replicas_wanted How many replicas a workload is to have.",
		"# TYPE platform_replicas_wanted gauge",
		`platform_replicas_wanted{workload="backend"} ` + strconv.Itoa(m.Config.Backend.Replicas),
		"# HELP platform_release_info Always 1; the release that runs.",
		"# TYPE platform_release_info gauge",
		fmt.Sprintf("platform_release_info{release=%q,image=%q} 1", m.Release, m.ReleaseImage),
		"# HELP platform_maintenance 1 while users get the maintenance page on request.",
		"# TYPE platform_maintenance gauge",
		"platform_maintenance " + strconv.Itoa(maintenance),
	}, "\n")
}

// tell has node-exporter show the facts. Not in Prometheus' own files: that would
// restart it with every release.
func (m *monitoring) tell(image workload.Image, facts *docker.Volume) error {
	task, err := runtime.Once(m.ctx, m.Stack, runtime.Task{
		Workload: workload.Workload{
			Name:    "monitoring-facts",
			Image:   image,
			Command: []string{"/bin/sh", "-c", factsScript, "facts", m.facts()},
			Mounts:  []workload.Mount{{Kind: workload.Volume, Source: facts.Name, Target: textfiles}},
			Limits:  workload.Limits{Memory: 32 << 20},
			Logging: logging(m.Config.Logging, "monitoring-facts"),
			User:    "0:0", // the volume belongs to root
		},
		Within: installTime,
	}, m)
	if err != nil {
		return err
	}
	return task.Await()
}

// distinct leaves a network out that is there already: without isolation, all of
// them are one.
func distinct(networks ...*workload.Network) []*workload.Network {
	var all []*workload.Network
	seen := map[string]bool{}
	for _, n := range networks {
		if !seen[n.Name] {
			seen[n.Name] = true
			all = append(all, n)
		}
	}
	return all
}
