// Command cadvisor is what the stand-in for ghcr.io/google/cadvisor runs: the
// libraries of cAdvisor, which Go's module proxies have, around a main of our
// own, because they do not have cAdvisor's. It knows Docker's containers only,
// and serves /metrics and /healthz: no pages, no API, no other storage, and no
// OOM events, which cAdvisor's main reads from the kernel's log.
//
// The flags have cAdvisor's names and defaults; most are the libraries' own.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/google/cadvisor/container/docker/install" // registers itself
	"github.com/google/cadvisor/lib/cache/memory"
	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/metrics"
	info "github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/google/cadvisor/lib/version"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

var (
	listenIP        = flag.String("listen_ip", "", "address to listen on")
	port            = flag.Int("port", 8080, "port to listen on")
	endpoint        = flag.String("prometheus_endpoint", "/metrics", "path of the metrics")
	storageDuration = flag.Duration("storage_duration", 2*time.Minute, "how long to keep data")
	storeLabels     = flag.Bool("store_container_labels", true, "container labels become metric labels")
	labels          = flag.String("whitelisted_container_labels", "", "those that do all the same, comma-separated")
	environment     = flag.String("env_metadata_whitelist", "", "prefixes of variables that become metric labels")
	cgroups         = flag.String("raw_cgroup_prefix_whitelist", "", "prefixes of cgroups to report with -docker_only")
	showVersion     = flag.Bool("version", false, "print the version and exit")

	// Disabled unless asked for, as in cAdvisor.
	disabled = set("advtcp,cpu_topology,cpuset,hugetlb,memory_numa,process,referenced_memory,resctrl,sched,tcp,udp")
	enabled  = container.MetricSet{}
)

func main() {
	klog.InitFlags(nil)
	flag.Var(&disabled, "disable_metrics", "kinds of metrics not to report, comma-separated")
	flag.Var(&enabled, "enable_metrics", "kinds of metrics to report, instead of -disable_metrics")
	flag.Parse()
	if *showVersion {
		fmt.Println("cAdvisor version", version.Info["version"])
		return
	}
	klog.Exit(serve())
}

func serve() error {
	kinds := enabled
	if len(kinds) == 0 {
		kinds = container.AllMetrics.Difference(disabled)
	}
	m, err := manager.New(memory.New(*storageDuration, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags, kinds,
		strings.Split(*cgroups, ","), strings.Split(*environment, ","), "", 0)
	if err != nil {
		return err
	}
	if err := m.Start(); err != nil {
		return err
	}

	asLabels := metrics.DefaultContainerLabels
	if !*storeLabels {
		asLabels = metrics.BaseContainerLabels(strings.Split(*labels, ","))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(m, asLabels, kinds, clock.RealClock{}, info.RequestOptions{IdType: info.TypeName, Count: 1, Recursive: true}),
		metrics.NewPrometheusMachineCollector(m, kinds),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	// What can not be collected does not hide the rest.
	http.Handle(*endpoint, promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0)
	}()
	server := http.Server{Addr: net.JoinHostPort(*listenIP, strconv.Itoa(*port)), ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func set(kinds string) container.MetricSet {
	var s container.MetricSet
	if err := s.Set(kinds); err != nil {
		panic(err)
	}
	return s
}
