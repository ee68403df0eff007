package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

func TestTheEdgesPortsAreThoseThatOthersReach(t *testing.T) {
	of := func(workload, address, port string) Subject {
		settings := &container.NetworkSettings{}
		settings.Ports = nat.PortMap{"8080/tcp": {{HostIP: address, HostPort: port}}, "8082/tcp": nil}
		return Subject{Workload: workload, InspectResponse: container.InspectResponse{NetworkSettings: settings}}
	}
	got := EdgePorts([]Subject{of("nginx", "0.0.0.0", "443"), of("nginx", "::", "443"), of("nginx", "192.0.2.1", "80"), of("nginx", "127.0.0.1", "81"), of("nginx", "::1", "82"), of("grafana", "0.0.0.0", "83"), {Workload: "nginx"}})
	if want := []int{80, 443}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTheMachineHasALineInTheReport(t *testing.T) {
	for result, want := range map[Result]string{
		Pass: "nothing fails", Exception: "· host this machine: everybody", Fail: "! host this machine: who comes to the edge's ports: a rule is gone", Unknown: "? this machine: a rule is gone",
	} {
		why, found := "", ""
		switch result {
		case Exception:
			why = "everybody may ask"
		case Fail, Unknown:
			found = "a rule is gone"
		}
		var text strings.Builder
		r := Report{Stack: "prod", Findings: []Finding{OfHost(result, found, why)}}
		if err := r.Write(&text); err != nil || !strings.Contains(text.String(), want) || !strings.Contains(text.String(), hostRule.title) && result != Unknown {
			t.Errorf("%s: %v\n%s", result, err, text.String())
		}
		if r.Failed() != (result == Fail) || r.Untold() != (result == Unknown) {
			t.Errorf("%s: failed %v, untold %v", result, r.Failed(), r.Untold())
		}
	}
	var text strings.Builder
	if err := (Report{Stack: "dev"}).Write(&text); err != nil || strings.Contains(text.String(), hostRule.title) {
		t.Errorf("a stack without a port: %v\n%s", err, text.String())
	}
}
