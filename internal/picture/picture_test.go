package picture

import (
	"errors"
	"strings"
	"testing"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/part"
	"tarot-platform/components/workload"
)

// small is a stack of a website, who watches it and what has neither networks nor ports.
func small() Stack {
	program := func(name string, replicas int, ports ...workload.Port) workload.Program {
		return workload.Program{Name: name, Replicas: replicas, Ports: ports, Limits: workload.Limits{Memory: 64 << 20}}
	}
	return Stack{
		Copied:   true,
		Networks: []part.Network{{Name: "inner", StandsFor: []string{part.Inner}, Internal: true}, {Name: "outer", StandsFor: []string{part.Edge}}},
		Parts: []part.Described{
			{Name: "web", Spec: part.Spec{
				Services: []part.Service{
					{Program: program("web-app", 2, workload.Port{Address: "127.0.0.1", Host: 5678}), Networks: []string{part.Inner}, Upstream: true, Job: "web",
						Mounts: []part.Mount{{Kind: workload.Volume, Source: "data"}, {Kind: workload.Bind, Source: "/x"}}},
					{Program: program("alone", 1), Mounts: []part.Mount{{Kind: workload.Volume, Source: "data", ReadOnly: true}, {Kind: workload.Volume, Source: "tools"}}},
				},
				Volumes: []part.Volume{{Name: "data", Engine: "shop_data", Data: true, Backup: true}, {Name: "tools", Engine: "shop-tools"}, {Name: "left", Engine: "shop_left", Data: true}},
				Pages:   []part.Page{{Path: "/figures", Host: "alone"}},
				Routes:  []part.Route{{Host: "a.example", Path: "/", Service: "web-app"}, {Path: "/x", Service: "web-app"}},
			}},
			{Name: "nginx", Spec: part.Spec{Services: []part.Service{{Program: program("nginx", 1, workload.Port{Host: 443}, workload.Port{Address: "10.0.0.1", Host: 80}, workload.Port{}), Networks: []string{part.Inner, part.Edge}}}}},
		},
	}
}

func TestAStackIsDrawn(t *testing.T) {
	for kind, want := range map[string]string{
		Requests: `flowchart LR
  users(["users"])
  machine(["this machine"])
  users ==>|"443, 10.0.0.1:80"| s_nginx
  machine ==>|"127.0.0.1:5678"| s_web_app
  subgraph n0 ["network inner: no way out"]
    s_web_app["web-app<br/>2 × 64 MB"]
  end
  subgraph n1 ["no network"]
    s_alone["alone<br/>64 MB"]
  end
  subgraph n2 ["network inner and outer: has a way out"]
    s_nginx["nginx<br/>64 MB"]
  end
  s_nginx --> s_web_app
  s_nginx -->|"/figures"| s_alone
  s_nginx -->|"a.example/"| s_web_app
  s_nginx -->|"/x"| s_web_app
`,
		Volumes: `flowchart LR
  s_web_app["web-app<br/>2 × 64 MB"]
  s_alone["alone<br/>64 MB"]
  v_data[("shop_data<br/>kept, backed up")]
  v_tools[("shop-tools<br/>made again")]
  s_web_app --> v_data
  s_alone -.->|reads| v_data
  s_alone --> v_tools
`,
	} {
		if got, err := Draw(small(), kind); got != want || err != nil {
			t.Errorf("%s: %v\n%s\nwant\n%s", kind, err, got, want)
		}
	}
	if _, err := Draw(small(), "dreams"); err == nil || !strings.Contains(err.Error(), `["requests" "volumes"]`) {
		t.Error(err)
	}
	unsaved := small()
	unsaved.Copied = false
	if got, _ := Draw(unsaved, Volumes); strings.Contains(got, "backed up") {
		t.Error("a stack without backups has some in the picture")
	}
}

// Who asks for metrics is drawn where there is somebody.
func TestWhoWatchesIsDrawn(t *testing.T) {
	s := small()
	s.Parts[0].Scrapes = append(s.Parts[0].Scrapes, scrape("web"), scrape("nobody"))
	if got, _ := Draw(s, Requests); strings.Contains(got, "metrics") {
		t.Error("nobody watches, and it is drawn")
	}
	s.Parts = append(s.Parts, part.Described{Name: "prometheus", Spec: part.Spec{Services: []part.Service{{Program: workload.Program{Name: "prometheus"}}}}})
	if got, _ := Draw(s, Requests); strings.Count(got, "metrics") != 1 || !strings.Contains(got, "s_prometheus -.->|metrics| s_web_app\n") {
		t.Error(got)
	}
}

func TestADocumentIsFilled(t *testing.T) {
	drawn := func(stack, kind string) (string, error) { return stack + " by its " + kind + "\n", nil }
	const document = "before\n<!-- picture: prod requests. Do not edit -->\nold\n<!-- end of the picture -->\nbetween\n" +
		"<!-- picture: dev volumes. Do not edit -->\n<!-- end of the picture -->\nafter\n"
	const want = "before\n<!-- picture: prod requests. Do not edit -->\n```mermaid\nprod by its requests\n```\n<!-- end of the picture -->\nbetween\n" +
		"<!-- picture: dev volumes. Do not edit -->\n```mermaid\ndev by its volumes\n```\n<!-- end of the picture -->\nafter\n"
	got, err := Fill(document, drawn)
	if got != want || err != nil {
		t.Errorf("%v\n%s", err, got)
	}
	if again, err := Fill(got, drawn); again != want || err != nil {
		t.Errorf("a second time: %v\n%s", err, again)
	}
	for name, broken := range map[string]string{"none": "text\n", "one that does not end": strings.Replace(document, "<!-- end of the picture -->\nafter", "after", 1), "no kind": "<!-- picture: prod -->\n<!-- end of the picture -->\n"} {
		if _, err := Fill(broken, drawn); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Fill(document, func(string, string) (string, error) { return "", errors.New("no such stack") }); err == nil {
		t.Error("an error is lost")
	}
}

func scrape(name string) prometheus.Job { return prometheus.Job{Name: name} }
