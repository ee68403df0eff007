package components

import (
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/assets/blackbox"
	"tarot-platform/components/workload"
)

// nodeExporter is what the workload is called.
const nodeExporter = "node-exporter"

// node is node-exporter: what the host does, as far as any process sees it: nothing of
// the host is mounted. The disk is seen through the data volume that is on it.
func (m *monitoring) node(facts *docker.Volume) part {
	return part{
		Workload: workload.Workload{
			Name: nodeExporter,
			Command: []string{
				"/bin/node_exporter", "--collector.disable-defaults",
				"--collector.cpu", "--collector.diskstats", "--collector.filesystem", "--collector.loadavg", "--collector.meminfo",
				"--collector.textfile", "--collector.time", "--collector.uname", "--collector.vmstat",
				"--collector.filesystem.mount-points-include=^/volumes/", "--collector.textfile.directory=" + textfiles,
				"--log.format=json",
			},
			Mounts: []workload.Mount{
				{Kind: workload.Volume, Source: facts.Name, Target: textfiles, ReadOnly: true},
				{Kind: workload.Volume, Source: m.Storage.Data, Target: "/volumes/data", ReadOnly: true},
			},
			Health: answers("http://127.0.0.1:9100/"),
			Limits: workload.Limits{CPUs: 0.25, Memory: 64 << 20},
			User:   nobody,
		},
		image: m.Config.Monitoring.Images.NodeExporter,
	}
}

// cadvisor shows what the containers use. Their names and labels are known to the
// engine alone, so it is the one workload that may ask that: through its socket,
// without a published port or a way out, and without capabilities. It sees no
// networks of others: for that it would need the host's /proc.
func (m *monitoring) cadvisor() part {
	w := workload.Workload{
		Name: "cadvisor",
		Command: []string{
			"/usr/bin/cadvisor", "--docker_only=true", "--docker=unix://" + dockerSocket,
			"--store_container_labels=false", "--whitelisted_container_labels=" + strings.Join([]string{m.Stack.Label, "tarot.workload", "tarot.attempt"}, ","),
			"--housekeeping_interval=" + m.Config.Monitoring.Interval.String(), "--max_housekeeping_interval=" + m.Config.Monitoring.Interval.String(),
			"--enable_metrics=cpu,memory", "--logtostderr",
		},
		Mounts: []workload.Mount{host("/sys/fs/cgroup"), hostAt(m.Places.Socket, dockerSocket)},
		Health: answers("http://127.0.0.1:8080/healthz"),
		Limits: workload.Limits{CPUs: 0.25, Memory: 128 << 20},
		User:   "65534:" + strconv.Itoa(m.Places.Group),
	}
	if m.Places.Group == 0 {
		w.User, w.Root = "0:0", "it is not known who else may use the engine's socket"
	}
	if m.Places.Containerd != "" {
		w.Groups = []int{m.Places.ContainerdGroup}
		if m.Places.ContainerdGroup == 0 && w.Root == "" {
			w.Root = "containerd's socket is that of root's group"
		}
		w.Command = append(w.Command, "--containerd="+containerdSocket)
		w.Mounts = append(w.Mounts, hostAt(m.Places.Containerd, containerdSocket))
	} else {
		w.Mounts = append(w.Mounts, host(m.Places.Layers))
	}
	return part{Workload: w, image: m.Config.Monitoring.Images.Cadvisor}
}

// Where cAdvisor finds the sockets, wherever they are on the host: in the image, a
// folder of that name may be closed to its user, as /root is.
const (
	dockerSocket     = "/var/run/docker.sock"
	containerdSocket = "/run/containerd/containerd.sock"
)

// host is the engine host's own, to be read, at the same path.
func host(path string) workload.Mount { return hostAt(path, path) }

func hostAt(path, target string) workload.Mount {
	return workload.Mount{Kind: workload.Bind, Source: pulumi.String(path), Target: target, ReadOnly: true}
}

// blackbox asks the site what users ask.
func (m *monitoring) blackbox() part {
	return part{
		Workload: workload.Workload{
			Name:     "blackbox",
			Command:  []string{"/bin/blackbox_exporter", "--config.file=" + workload.ConfigDir + "/blackbox.yml", "--log.format=json"},
			Files:    []workload.File{{Name: "blackbox.yml", Content: pulumi.String(blackbox.Settings())}},
			Networks: distinct(m.Own, m.Watched),
			Health:   answers("http://127.0.0.1:9115/-/healthy"),
			Limits:   workload.Limits{CPUs: 0.25, Memory: 64 << 20},
			User:     nobody,
		},
		image: m.Config.Monitoring.Images.BlackboxExporter,
	}
}
