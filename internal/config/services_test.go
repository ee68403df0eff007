package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// service is one service called worker, as it is set.
func service(body string, more ...string) map[string]string {
	return raw(append([]string{"services", `{"worker":` + body + `}`}, more...)...)
}

func TestWhatIsWrongWithAService(t *testing.T) {
	const (
		names = "an object for each service, by a name of at most 32 lower case letters, digits and -, that begins with a letter and is none of the platform's own"
		after = "a list of names in services, each once, of which none depends on this one in its turn"
	)
	for name, test := range map[string]struct {
		raw  map[string]string
		want string // the first line; empty: it is right
	}{
		"nothing said":               {service(`{}`), ""},
		"a worker":                   {service(`{"command":["celery","worker"],"stopGrace":"5m","replicas":2,"update":"rolling"}`), ""},
		"all services are none":      {raw("services", `{}`), ""},
		"a list":                     {raw("services", `[]`), `tarot:services: [] is not allowed; allowed: ` + names},
		"null":                       {raw("services", `null`), `tarot:services: "null" is not allowed; allowed: ` + names},
		"a service that is null":     {service(`null`), `tarot:services.worker: null is not allowed; allowed: an object with the keys image, context, `},
		"a service that is a list":   {service(`["a"]`), `tarot:services.worker: ["a"] is not allowed; allowed: an object with the keys image, context, `},
		"an unknown key":             {service(`{"replica":2}`), `tarot:services.worker.replica: there is no such key; allowed: command, connections, context, cpus, `},
		"an unknown key further in":  {service(`{"health":{"paht":"/x"}}`), `tarot:services.worker.health.paht: there is no such key; allowed: command, interval, none, path, port, `},
		"a text for a number":        {service(`{"replicas":"two"}`), `tarot:services.worker.replicas: "two" is not allowed; allowed: a whole number from 1 to 100`},
		"an upper case name":         {raw("services", `{"Worker":{}}`), `tarot:services: "Worker" is not allowed; allowed: ` + names},
		"a name with a dot":          {raw("services", `{"a.b":{}}`), `tarot:services: "a.b" is not allowed; allowed: ` + names},
		"a name with _":              {raw("services", `{"a_b":{}}`), `tarot:services: "a_b" is not allowed; allowed: ` + names},
		"a name that is too long":    {raw("services", `{"`+strings.Repeat("a", 33)+`":{}}`), `tarot:services: "aaaa`},
		"a name of the platform's":   {raw("services", `{"nginx":{}}`), `tarot:services: "nginx" is not allowed; allowed: ` + names},
		"a canary's name":            {raw("services", `{"a-candidate":{}}`), `tarot:services: "a-candidate" is not allowed; allowed: ` + names},
		"an image and a folder":      {service(`{"image":"a:1","context":"./app"}`), `tarot:services.worker.image: "a:1" is not allowed`},
		"no image's name":            {service(`{"image":"a b"}`), `tarot:services.worker.image: "a b" is not allowed`},
		"no folder":                  {service(`{"context":"./nowhere"}`), `tarot:services.worker.context: "./nowhere" is not allowed`},
		"no Dockerfile":              {service(`{"context":"./app","dockerfile":"x"}`), `tarot:services.worker.dockerfile: "x" is not allowed`},
		"a Dockerfile elsewhere":     {service(`{"context":"./app","dockerfile":"../app/Dockerfile"}`), ""},
		"no replicas":                {service(`{"replicas":0}`), `tarot:services.worker.replicas: "0" is not allowed`},
		"a port":                     {service(`{"port":70000}`), `tarot:services.worker.port: "70000" is not allowed`},
		"PORT as a variable":         {service(`{"environment":{"PORT":"1"}}`), `tarot:services.worker.environment: "PORT" is not allowed`},
		"a variable's name":          {service(`{"environment":{"A-B":"1"}}`), `tarot:services.worker.environment: "A-B" is not allowed`},
		"a secret without a value":   {service(`{"secrets":["API_KEY"]}`), `tarot:services.worker.secrets: "API_KEY" is not allowed; allowed: names whose value is set by pulumi config set --secret tarot:API_KEY`},
		"a variable without a value": {service(`{"secretEnvironment":["API_KEY"]}`), `tarot:services.worker.secretEnvironment: "API_KEY" is not allowed; allowed: names whose value`},
		"a secret":                   {service(`{"secrets":["API_KEY"],"secretEnvironment":["API_KEY"]}`, "API_KEY", "x"), ""},
		"a secret twice":             {service(`{"secrets":["A","A"]}`, "A", "x"), `tarot:services.worker.secrets: "A" is not allowed`},
		"a value nobody asks for":    {service(`{}`, "API_KEY", "x"), `tarot:API_KEY: there is no such key`},
		"root":                       {service(`{"user":"0:0"}`), `tarot:services.worker.user: "0:0" is not allowed`},
		"no CPU":                     {service(`{"cpus":0}`), `tarot:services.worker.cpus: "0" is not allowed`},
		"too little memory":          {service(`{"memory":"5m"}`), `tarot:services.worker.memory: "5m" is not allowed`},
		"memory without a unit":      {service(`{"memory":512}`), `tarot:services.worker.memory: 512 is not allowed`},
		"two checks":                 {service(`{"health":{"command":["a"],"path":"/x"},"port":80}`), `tarot:services.worker.health.path: "/x" is not allowed`},
		"a check and none":           {service(`{"health":{"command":["a"],"none":true}}`), `tarot:services.worker.health.none: "true" is not allowed`},
		"a path without a port":      {service(`{"health":{"path":"/x"}}`), `tarot:services.worker.health.path: "/x" is not allowed`},
		"a path on its port":         {service(`{"health":{"path":"/x/","port":81}}`), ""},
		"an interval":                {service(`{"health":{"interval":"1ms"}}`), `tarot:services.worker.health.interval: "1ms" is not allowed`},
		"a volume":                   {service(`{"volumes":{"data":"/data"},"tmpfs":["/cache"]}`), ""},
		"a volume's name":            {service(`{"volumes":{"Data":"/data"}}`), `tarot:services.worker.volumes: "Data: /data" is not allowed`},
		"a relative path":            {service(`{"volumes":{"data":"data"}}`), `tarot:services.worker.volumes: "data: data" is not allowed`},
		"a path twice":               {service(`{"volumes":{"data":"/data"},"tmpfs":["/data"]}`), `tarot:services.worker.tmpfs: "/data" is not allowed`},
		"the backend's data folder":  {service(`{"volumes":{"data":"/app/data"}}`), `tarot:services.worker.volumes: "data: /app/data" is not allowed`},
		"another folder of its code": {service(`{"volumes":{"data":"/code/data"}}`, "backend", `{"workingDir":"/code","databaseUrl":""}`), `tarot:services.worker.volumes: "data: /code/data" is not allowed`},
		"the backend's uploads":      {service(`{"tmpfs":["/media"]}`, "backend", `{"volumes":{"media":"/media"}}`), `tarot:services.worker.tmpfs: "/media" is not allowed`},
		"the backend's own memory":   {service(`{"tmpfs":["/fast"]}`, "backend", `{"tmpfs":["/fast"]}`), `tarot:services.worker.tmpfs: "/fast" is not allowed`},
		"no folder of the backend's": {service(`{"volumes":{"data":"/app/data"}}`, "backend", `{"workingDir":"/code","databaseUrl":""}`), ""},
		"a secret in plain text":     {service(`{"secretEnvironment":["A"],"environment":{"A":"1"}}`, "A", "x"), `tarot:services.worker.environment: "A" is not allowed; allowed: a map of names to strings; not PORT, which the service's port sets, and none of its secrets (A is one of services.worker.secretEnvironment: `},
		"a secret's file":            {service(`{"secrets":["A"],"environment":{"A_FILE":"1"}}`, "A", "x"), `tarot:services.worker.environment: "A_FILE" is not allowed`},
		"a path that is no path":     {service(`{"health":{"path":"/a b","port":81}}`), `tarot:services.worker.health.path: "/a b" is not allowed`},
		"a job's name":               {raw("services", `{"own-volumes-a":{}}`), `tarot:services: "own-volumes-a" is not allowed; allowed: ` + names},
		"what begins volumes' names": {raw("services", `{"volume":{}}`), `tarot:services: "volume" is not allowed; allowed: ` + names},
		"the same of another image":  {service(`{"image":"a:1","volumes":{"data":"/app/data"}}`), ""},
		"the platform's folder":      {service(`{"tmpfs":["/run/secrets"]}`), `tarot:services.worker.tmpfs: "/run/secrets" is not allowed`},
		"no grace":                   {service(`{"stopGrace":"0s"}`), `tarot:services.worker.stopGrace: "0s" is not allowed`},
		"a signal":                   {service(`{"stopSignal":"TERM"}`), `tarot:services.worker.stopSignal: "TERM" is not allowed`},
		"a scrape's path":            {service(`{"scrape":{"path":"x"}}`), `tarot:services.worker.scrape.path: "x" is not allowed`},
		"an update":                  {service(`{"update":"blueGreen"}`), `tarot:services.worker.update: "blueGreen" is not allowed; allowed: rolling, stopFirst, or empty`},
		"after nobody":               {service(`{"dependsOn":["x"]}`), `tarot:services.worker.dependsOn: "x" is not allowed; allowed: ` + after},
		"after itself":               {service(`{"dependsOn":["worker"]}`), `tarot:services.worker.dependsOn: "worker → worker" is not allowed; allowed: ` + after},
		"in a circle":                {raw("services", `{"a":{"dependsOn":["b"]},"b":{"dependsOn":["c"]},"c":{"dependsOn":["b"]}}`), `tarot:services.b.dependsOn: "b → c → b" is not allowed; allowed: ` + after},
		"before the backend":         {service(`{"image":"db:1"}`, "backend", `{"dependsOn":["worker"]}`), ""},
		"its own image before it":    {service(`{}`, "backend", `{"dependsOn":["worker"]}`), `tarot:backend.dependsOn: "worker" is not allowed; allowed: a list of names in services, whose image is not the backend's`},
		"nobody before the backend":  {raw("backend", `{"dependsOn":["x"]}`), `tarot:backend.dependsOn: "x" is not allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			_, err := Load(test.raw)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if test.want == "" && said != "" || !strings.HasPrefix(said, test.want) {
				t.Errorf("%s, want %s", said, test.want)
			}
		})
	}
}

func TestAnEntryHasTheDefaultsOfWhatItLeavesOut(t *testing.T) {
	inProject(t)
	cfg, err := Load(raw("services", `{"a":{"replicas":2,"health":{"retries":5}},"b":{"memory":"1g"}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := cfg.Services["a"], cfg.Services["b"]
	if len(cfg.Services) != 2 || a.Replicas != 2 || b.Replicas != 1 || a.Memory != 256<<20 || b.Memory != 1<<30 ||
		a.Health.Retries != 5 || a.Health.Interval != 2*time.Second || b.Health.Retries != 3 || a.Scrape.Path != "/metrics" {
		t.Errorf("%+v", cfg.Services)
	}
}

func TestServicesComeAfterThoseThatTheyDependOn(t *testing.T) {
	inProject(t)
	cfg, err := Load(raw("services", `{"a":{"dependsOn":["d","c"]},"b":{},"c":{"image":"x:1","dependsOn":["e"]},"d":{"dependsOn":["c"]},"e":{"image":"x:1"}}`, "backend", `{"dependsOn":["c"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.OrderedServices(); !slices.Equal(got, []string{"e", "c", "d", "a", "b"}) {
		t.Errorf("%v", got)
	}
	if got := slices.Sorted(maps.Keys(cfg.BeforeBackend())); !slices.Equal(got, []string{"c", "e"}) {
		t.Errorf("before the backend: %v", got)
	}
}

func TestWhatHasVolumesStopsFirst(t *testing.T) {
	volumes := map[string]string{"data": "/data"}
	for _, test := range []struct {
		service Service
		want    bool
	}{{Service{}, false}, {Service{Volumes: volumes}, true}, {Service{Volumes: volumes, Update: "rolling"}, false}, {Service{Update: "stopFirst"}, true}} {
		if got := test.service.StopsFirst(); got != test.want {
			t.Errorf("%+v: %v", test.service, got)
		}
	}
}

// A release has the names of all secrets that the application's programs have.
func TestSecretsOfServicesAreTheApplications(t *testing.T) {
	inProject(t)
	cfg, err := Load(service(`{"secrets":["B"],"secretEnvironment":["A","B"]}`, "backend", `{"secrets":["C","B"]}`, "A", "1", "B", "2", "C", "3"))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.ApplicationSecrets(); !slices.Equal(got, []string{"A", "B", "C"}) {
		t.Errorf("%v", got)
	}
	said := RefuseSealed([]string{"tarot:services"}, []string{"tarot:services.worker.environment.KEY"}).Error()
	if !strings.HasPrefix(said, "tarot:services.worker.environment.KEY: a secret is not allowed here") || !strings.Contains(said, "named in its secrets or its secretEnvironment") {
		t.Error(said)
	}
}
