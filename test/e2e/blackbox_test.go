//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	assets "tarot-platform/assets/blackbox"
	"tarot-platform/internal/config"
)

// TestBlackboxProbes has the real blackbox_exporter check its configuration, and ask
// sites that are well, redirect, fail, are too slow, or are not there.
//
//suite:core
func TestBlackboxProbes(t *testing.T) {
	const file = "/run/config/blackbox.yml"
	image := config.Defaults().Monitoring.Images.BlackboxExporter
	files := map[string]string{file: assets.Settings()}
	check := created(t, files, "--network", "none", "--entrypoint", "/bin/blackbox_exporter", image, "--config.file="+file, "--config.check")
	if out, err := exec.Command("docker", "start", "--attach", check).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	network := newNetwork(t)
	sites := map[string]*httptest.Server{}
	for name, tls := range map[string]bool{"http": false, "https": true} {
		listener, err := net.Listen("tcp", net.JoinHostPort(network.gateway, "0"))
		if err != nil {
			t.Fatal(err)
		}
		sites[name] = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/well":
				w.WriteHeader(http.StatusNoContent)
			case "/away":
				http.Redirect(w, r, "/well", http.StatusPermanentRedirect)
			case "/fails":
				w.WriteHeader(http.StatusServiceUnavailable)
			case "/slow":
				select {
				case <-r.Context().Done():
				case <-time.After(20 * time.Second):
				}
			}
		}))
		sites[name].Listener = listener
		if tls {
			sites[name].StartTLS()
		} else {
			sites[name].Start()
		}
		t.Cleanup(sites[name].Close)
	}
	exporter := created(t, files, "--network", network.name, "--publish", "127.0.0.1::9115", "--user", "65534:65534", "--cap-drop", "ALL",
		"--entrypoint", "/bin/blackbox_exporter", image, "--config.file="+file)
	docker(t, "start", exporter)
	address := published(t, exporter, 9115)
	within(t, 30*time.Second, "blackbox_exporter is there", func() bool { return answers(address + "/-/healthy") })

	for name, probe := range map[string]struct {
		target string
		well   bool
		status int
		tls    bool
	}{
		"well":      {sites["http"].URL + "/well", true, 204, false},
		"well, TLS": {sites["https"].URL + "/well", true, 204, true},
		"redirects": {sites["http"].URL + "/away", false, 308, false},
		"fails":     {sites["https"].URL + "/fails", false, 503, true},
		"too slow":  {sites["http"].URL + "/slow", false, 0, false},
		"not there": {"http://" + net.JoinHostPort(network.gateway, "1") + "/", false, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			answer, err := http.Get(address + "/probe?module=http&target=" + url.QueryEscape(probe.target))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			well := 0
			if probe.well {
				well = 1
			}
			for line, want := range map[string]bool{
				fmt.Sprintf("probe_success %d\n", well):                  true,
				fmt.Sprintf("probe_http_status_code %d\n", probe.status): true,
				"\nprobe_ssl_earliest_cert_expiry ":                      probe.tls,
			} {
				if strings.Contains(string(body), line) != want {
					t.Errorf("%q is not %v in\n%s", line, want, body)
				}
			}
			if took := time.Since(started); took > 8*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}
