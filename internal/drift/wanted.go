package drift

import (
	"encoding/json"
	"fmt"
	"strings"

	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// wanted is what the state says that the engine has.
type wanted struct {
	release    string
	containers []containerWanted
	services   []serviceWanted
	networks   []networkWanted
	volumes    []volumeWanted
	images     []imageWanted
	configs    []objectWanted
	secrets    []objectWanted
	// known are the ids of all that is in the state, also of what is about to be removed.
	known map[string]bool
}

// resource is what all have in common.
type resource struct{ id, urn string }

type label struct{ Label, Value string }

func labelsOf(all []label) map[string]string {
	found := map[string]string{}
	for _, l := range all {
		found[l.Label] = l.Value
	}
	return found
}

type mountWanted struct {
	Type, Source, Target string
	ReadOnly             bool
}

// networkOf is one that something is on, by its id.
type networkOf struct {
	Name    string
	Aliases []string
}

type containerWanted struct {
	resource
	Name, Image, User, Restart, NetworkMode, Cpus string
	Start                                         *bool
	Memory, MemorySwap                            int64
	ReadOnly                                      bool
	Envs, Entrypoints, Command                    []string
	Labels                                        []label
	Mounts                                        []mountWanted
	NetworksAdvanced                              []networkOf
	Ports                                         []struct {
		Internal, External int
		IP, Protocol       string
	}
	Uploads []struct{ File, Content string }
}

// kept is true for one that runs for ever; the others hold files, or are jobs that have ended.
func (c containerWanted) kept() bool { return c.Start == nil || *c.Start }

// job is the name of the job that it is; empty: it is none.
func (c containerWanted) job() string {
	labels := labelsOf(c.Labels)
	if _, is := labels[engine.AttemptLabel]; is {
		return labels[engine.WorkloadLabel]
	}
	return ""
}

type objectWanted struct {
	resource
	Name, Data string
}

type imageWanted struct {
	resource
	Name    string
	ImageID string // of the outputs
}

type volumeWanted struct {
	resource
	Name   string
	Driver string // of the outputs
	Labels []label
}

type networkWanted struct {
	resource
	Name, Driver string
	Internal     bool
	IpamConfigs  []struct{ Subnet, Gateway string }
	Labels       []label
}

// healthWanted is a service's health check, with its times as the provider writes them.
type healthWanted struct {
	Tests                          []string
	Interval, Timeout, StartPeriod string
	Retries                        int
}

type updateWanted struct {
	Parallelism                          uint64
	Order, FailureAction, Delay, Monitor string
}

// mounted is a config or a secret in a service.
type mounted struct{ ConfigID, SecretID, ConfigName, SecretName, FileName string }

type serviceWanted struct {
	resource
	Name         string
	Labels       []label
	Mode         struct{ Replicated struct{ Replicas uint64 } }
	EndpointSpec struct {
		Mode  string
		Ports []struct {
			TargetPort, PublishedPort uint32
			PublishMode, Protocol     string
		}
	}
	UpdateConfig, RollbackConfig updateWanted
	TaskSpec                     struct {
		ContainerSpec struct {
			Image, User, StopGracePeriod, StopSignal string
			ReadOnly                                 bool
			Commands, Args, CapAdds, CapDrops        []string
			Groups                                   []string
			Env                                      map[string]string
			Hosts                                    []struct{ Host, IP string }
			Labels                                   []label
			Healthcheck                              *healthWanted
			Mounts                                   []mountWanted
			Configs, Secrets                         []mounted
		}
		Resources struct {
			Limits struct{ MemoryBytes, NanoCpus int64 }
		}
		RestartPolicy     struct{ Condition, Delay, Window string }
		Placement         struct{ Constraints []string }
		NetworksAdvanceds []networkOf
		LogDriver         struct {
			Name    string
			Options map[string]string
		}
	}
}

// wantedOf reads a state.
func wantedOf(all []state.Resource) (wanted, error) {
	w := wanted{known: map[string]bool{}}
	for _, r := range all {
		w.known[r.ID] = true
		if r.Delete {
			continue
		}
		if err := w.add(r); err != nil {
			return w, fmt.Errorf("the state of %s: %w", r.URN, err)
		}
	}
	return w, nil
}

func (w *wanted) add(r state.Resource) error {
	of := resource{r.ID, r.URN}
	switch r.Type {
	case "pulumi:pulumi:Stack":
		w.release, _ = r.Outputs["release"].(string)
	case "docker:index/container:Container":
		return collect(&w.containers, r, func(c *containerWanted) { c.resource = of })
	case "docker:index/service:Service":
		return collect(&w.services, r, func(s *serviceWanted) { s.resource = of })
	case "docker:index/network:Network":
		return collect(&w.networks, r, func(n *networkWanted) { n.resource = of })
	case "docker:index/serviceConfig:ServiceConfig":
		return collect(&w.configs, r, func(c *objectWanted) { c.resource = of })
	case "docker:index/secret:Secret":
		return collect(&w.secrets, r, func(s *objectWanted) { s.resource = of })
	case "docker:index/volume:Volume":
		return collect(&w.volumes, r, func(v *volumeWanted) {
			v.resource = of
			v.Driver, _ = r.Outputs["driver"].(string)
		})
	case "docker:index/remoteImage:RemoteImage":
		return collect(&w.images, r, func(i *imageWanted) {
			i.resource = of
			i.ImageID, _ = r.Outputs["imageId"].(string)
		})
	}
	return nil
}

// collect reads a resource's inputs.
func collect[T any](into *[]T, r state.Resource, rest func(*T)) error {
	var one T
	text, err := json.Marshal(r.Inputs)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &one); err != nil {
		return fmt.Errorf("%s: it is of another form than this program writes", strings.TrimPrefix(r.Type, "docker:index/"))
	}
	rest(&one)
	*into = append(*into, one)
	return nil
}

// asked is what of the engine is looked at closely.
func (w wanted) asked() (asked engine.Asked) {
	for _, c := range w.containers {
		asked.Containers = append(asked.Containers, c.id, c.Name)
	}
	for _, i := range w.images {
		asked.Images = append(asked.Images, i.Name)
	}
	return asked
}
