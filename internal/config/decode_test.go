package config

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tarot-platform/internal/config/configtest"
)

// inProject moves to a folder with an application.
func inProject(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "app/Dockerfile", "FROM scratch\n")
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(path[:strings.LastIndex(path, "/")], 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// raw takes key, value, key, value, ..., with keys below the namespace.
func raw(pairs ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[Namespace+":"+pairs[i]] = pairs[i+1]
	}
	return all
}

// dev is enough of the dev stack for checks between keys.
const dev = `"replicas":1,"publishPort":8000`

const (
	topKeys   = "acmeDnsKey, acmeDnsKeyId, acmeDnsToken, acmeEabHmac, acmeEabKeyId, adminPassword, alertDingtalkUrl, alertEmailPassword, alertFeishuUrl, alertWebhookUrl, alertWecomUrl, backend, backup, backupFilesSecret, backupKey, backupSecret, backupSshKey, build, cache, cachePassword, database, databaseUrl, grafanaPassword, jwtSecretKey, logging, maintenance, monitoring, networks, nginx, preflight, releases, routes, runtime, schedules, secretVersions, services, sites, swarm, tlsCertificate, tlsKey, volumes"
	sizes     = "a size with a unit, at least 6m (the engine's minimum), such as 512m or 1g"
	volume    = "empty, or a volume name: letters, digits, _ . and -"
	memory    = "a list of absolute paths, none of the system's, each a path of its own; /tmp is one already"
	sqlite    = "empty, or a URL; the file of a sqlite: one inside a volume, such as sqlite:///./data/prod.db inside /app/data"
	further2  = "a map of names (small letters, digits and -; not data, static and logs) to absolute paths, each a path of its own, or to VOLUME:PATH where the volume has a name"
	static    = "a folder's path, of none of the system's folders and not workingDir itself, that nothing else is mounted at"
	subnet    = "an IPv4 network in CIDR form, /16 to /28, that nothing else uses"
	oneUser   = "uid:gid in numbers, not 0"
	plain     = "empty, or a URL without a password (build arguments are readable in docker history; build.secrets are not)"
	buildArgs = "a map of names to strings, none a URL with a password (build arguments are readable in docker history; build.secrets are not)"
	bases     = "a map of image names, without a digest, to image references"
	proxies   = "a list of networks in CIDR form, such as 10.20.0.0/16, each with its first address, none of all addresses"
	admitted  = "a map of paths, which begin with / and do not end in one, to lists of networks in CIDR form, such as 10.20.0.0/16, each with its first address"
	proxied   = "true or false; false where nginx.trustedProxies is empty, as nobody would be believed, or nginx.edge is set, as that is in front"
	comers    = "a list of networks in CIDR form, such as 10.20.0.0/16, each with its first address; empty where nginx.enabled is false or nginx.edge is set: no port is published"
)

func TestBadInputIsNamedWithItsValueAndWhatIsAllowed(t *testing.T) {
	for _, test := range []struct {
		name string
		raw  map[string]string
		want []string // one line for each fault
	}{
		{"unknown key", raw("replica", "5"), []string{"tarot:replica: there is no such key; allowed: " + topKeys}},
		{"unknown key in an object", raw("backend", `{"health":{"intervall":"2s"}}`), []string{
			"tarot:backend.health.intervall: there is no such key; allowed: command, interval, path, port, retries, startPeriod, timeout"}},
		{"a path as a flat key", raw("backend.replicas", "5"), []string{
			"tarot:backend.replicas: there is no such key; allowed: " + topKeys}},
		{"a text for an object", raw("logging", "json-file"), []string{
			`tarot:logging: "json-file" is not allowed; allowed: an object with the keys driver, options`}},
		{"a list for an object", raw("volumes", `["a"]`), []string{
			`tarot:volumes: ["a"] is not allowed; allowed: an object with the keys driver, driverOptions, mount, encrypted, data, uploads, static, logs, retain`}},
		{"null for an object", raw("nginx", `{"tls":null}`), []string{
			`tarot:nginx.tls: null is not allowed; allowed: an object with the keys mode, certificate, key, acme`}},
		{"notices that nothing would tell", raw("monitoring", `{"enabled":false,"alerts":{"deployNotices":true}}`), []string{
			`tarot:monitoring.alerts.deployNotices: "true" is not allowed; allowed: false where monitoring.enabled is false, as nothing would tell them`}},
		{"broken JSON", raw("swarm", `{"constraints":`), []string{
			`tarot:swarm: {"constraints": is not allowed; allowed: an object with the keys constraints`}},
		{"an object for a text", raw("runtime", `{"a":1}`), []string{
			`tarot:runtime: {"a":1} is not allowed; allowed: containers or swarm`}},
		{"runtime", raw("runtime", "kubernetes"), []string{`tarot:runtime: "kubernetes" is not allowed; allowed: containers or swarm`}},

		{"text for a number", raw("backend", `{"replicas":"three"}`), []string{
			`tarot:backend.replicas: "three" is not allowed; allowed: a whole number from 1 to 100`}},
		{"fraction for a whole number", raw("backend", `{"replicas":1.5}`), []string{
			`tarot:backend.replicas: 1.5 is not allowed; allowed: a whole number from 1 to 100`}},
		{"null for a number", raw("backend", `{"replicas":null}`), []string{
			`tarot:backend.replicas: null is not allowed; allowed: a whole number from 1 to 100`}},
		{"smoke test of no path", raw("backend", `{"smoke":{"read":"cards"}}`), []string{
			`tarot:backend.smoke.read: "cards" is not allowed; allowed: empty, or a path that begins with /`}},
		{"smoke test with a body that is no JSON", raw("backend", `{"smoke":{"body":"{"}}`), []string{
			`tarot:backend.smoke.body: "{" is not allowed; allowed: empty, or JSON`}},
		{"smoke test of a file elsewhere", raw("backend", `{"smoke":{"static":"../x"}}`), []string{
			`tarot:backend.smoke.static: "../x" is not allowed; allowed: empty, or the relative path of a file`}},
		{"maintenance of another kind", raw("maintenance", "yes"), []string{
			`tarot:maintenance: "yes" is not allowed; allowed: true or false`}},
		{"nothing kept", raw("releases", `{"keep":0}`), []string{
			`tarot:releases.keep: "0" is not allowed; allowed: a whole number from 1 to 100`}},
		{"a pin that is no release", raw("releases", `{"pin":"v1"}`), []string{
			`tarot:releases.pin: "v1" is not allowed; allowed: empty, or the name of a release that make releases lists`}},
		{"a version below zero", raw("secretVersions", `{"jwtSecretKey":-1,"adminPassword":1000001}`), []string{
			`tarot:secretVersions.adminPassword: "1000001" is not allowed; allowed: a whole number from 0 to 1000000`,
			`tarot:secretVersions.jwtSecretKey: "-1" is not allowed; allowed: a whole number from 0 to 1000000`}},
		{"no replicas", raw("backend", `{"replicas":0}`), []string{
			`tarot:backend.replicas: "0" is not allowed; allowed: a whole number from 1 to 100`}},
		{"replicas below zero", raw("backend", `{"replicas":-1}`), []string{
			`tarot:backend.replicas: "-1" is not allowed; allowed: a whole number from 1 to 100`}},
		{"too many replicas", raw("backend", `{"replicas":101}`), []string{
			`tarot:backend.replicas: "101" is not allowed; allowed: a whole number from 1 to 100`}},
		{"no port", raw("backend", `{"port":0}`), []string{
			`tarot:backend.port: "0" is not allowed; allowed: a whole number from 1 to 65535`}},
		{"port out of range", raw("backend", `{"port":65536}`), []string{
			`tarot:backend.port: "65536" is not allowed; allowed: a whole number from 1 to 65535`}},
		{"nginx port out of range", raw("nginx", `{"httpPort":0}`), []string{
			`tarot:nginx.httpPort: "0" is not allowed; allowed: a whole number from 1 to 65535`}},
		{"published port out of range", raw("backend", `{"replicas":1,"publishPort":70000}`, "networks", `{"isolated":false}`), []string{
			`tarot:backend.publishPort: "70000" is not allowed; allowed: 0, or a whole number from 1 to 65535`}},
		{"no workers", raw("backend", `{"workers":0}`), []string{
			`tarot:backend.workers: "0" is not allowed; allowed: a whole number from 1 to 64`}},
		{"text for a boolean", raw("backend", `{"debug":"yes"}`), []string{
			`tarot:backend.debug: "yes" is not allowed; allowed: true or false`}},

		{"memory as a bare number", raw("backend", `{"memory":512}`), []string{
			`tarot:backend.memory: 512 is not allowed; allowed: ` + sizes}},
		{"memory without a unit", raw("backend", `{"memory":"512"}`), []string{
			`tarot:backend.memory: "512" is not allowed; allowed: ` + sizes}},
		{"memory below the engine's", raw("backend", `{"memory":"5m"}`), []string{
			`tarot:backend.memory: "5m" is not allowed; allowed: ` + sizes}},
		{"memory just below the engine's", raw("backend", `{"memory":"6143k"}`), []string{
			`tarot:backend.memory: "6143k" is not allowed; allowed: ` + sizes}},
		{"memory beyond an int64", raw("backend", `{"memory":"9999999999g"}`), []string{
			`tarot:backend.memory: "9999999999g" is not allowed; allowed: ` + sizes}},
		{"no CPU", raw("backend", `{"cpus":0}`), []string{
			`tarot:backend.cpus: "0" is not allowed; allowed: a number from 0.01 to the cores of the engine`}},
		{"duration without a unit", raw("backend", `{"drain":30}`), []string{
			`tarot:backend.drain: 30 is not allowed; allowed: a duration of whole seconds, shorter than backend.stopGrace`}},
		{"duration in milliseconds", raw("backend", `{"stopGrace":"40500ms"}`), []string{
			`tarot:backend.stopGrace: "40.5s" is not allowed; allowed: a duration of whole seconds, longer than backend.drain`}},
		{"stopped before it has drained", raw("backend", `{"stopGrace":"30s"}`), []string{
			`tarot:backend.stopGrace: "30s" is not allowed; allowed: a duration of whole seconds, longer than backend.drain`}},
		{"health interval", raw("backend", `{"health":{"interval":"100ms"}}`), []string{
			`tarot:backend.health.interval: "100ms" is not allowed; allowed: a duration of at least 1s`}},
		{"health path", raw("backend", `{"health":{"path":"healthz"},"paths":{"health":"/a b"}}`), []string{
			`tarot:backend.health.path: "healthz" is not allowed; allowed: empty, or a path that begins with /: letters, digits, . _ ~ - and /`,
			`tarot:backend.paths.health: "/a b" is not allowed; allowed: empty, or a path that begins with /: letters, digits, . _ ~ - and /`}},
		{"health port", raw("backend", `{"health":{"port":65536}}`), []string{
			`tarot:backend.health.port: "65536" is not allowed; allowed: 0, or a whole number from 1 to 65535`}},
		{"two health checks", raw("backend", `{"health":{"path":"/healthz/","command":["true"]}}`), []string{
			`tarot:backend.health: "backend.health.command and backend.health.path" is not allowed; allowed: at most one of command, path and port, as there is one health check`}},
		{"health retries", raw("backend", `{"health":{"retries":0}}`), []string{
			`tarot:backend.health.retries: "0" is not allowed; allowed: a whole number from 1 to 20`}},
		{"log level", raw("backend", `{"logLevel":"trace"}`), []string{
			`tarot:backend.logLevel: "trace" is not allowed; allowed: empty, debug, info, warning or error`}},
		{"relative URL path", raw("backend", `{"paths":{"api":"api"}}`), []string{
			`tarot:backend.paths.api: "api" is not allowed; allowed: a path that begins with / and does not end in one`}},
		{"URL path that ends in a slash", raw("backend", `{"paths":{"static":"/static/"}}`), []string{
			`tarot:backend.paths.static: "/static/" is not allowed; allowed: a path that begins with / and does not end in one`}},
		{"static files everywhere", raw("backend", `{"paths":{"static":"/"}}`), []string{
			`tarot:backend.paths.static: "/" is not allowed; allowed: a path that begins with / and does not end in one`}},
		{"URL path with nginx syntax", raw("backend", `{"paths":{"static":"/s; }"}}`), []string{
			`tarot:backend.paths.static: "/s; }" is not allowed; allowed: a path that begins with / and does not end in one`}},
		{"root", raw("backend", `{"user":"0:0"}`), []string{`tarot:backend.user: "0:0" is not allowed; allowed: ` + oneUser}},
		{"root's group", raw("backend", `{"user":"10001:0"}`), []string{
			`tarot:backend.user: "10001:0" is not allowed; allowed: ` + oneUser}},
		{"user by name", raw("backend", `{"user":"www-data"}`), []string{
			`tarot:backend.user: "www-data" is not allowed; allowed: ` + oneUser}},
		{"number for a text", raw("backend", `{"target":5}`), []string{
			`tarot:backend.target: 5 is not allowed; allowed: a stage name of the Dockerfile, or empty`}},

		{"missing context", raw("backend", `{"context":"./nowhere"}`), []string{
			`tarot:backend.context: "./nowhere" is not allowed; allowed: a folder that exists`}},
		{"context that is a file", raw("backend", `{"context":"app/Dockerfile"}`), []string{
			`tarot:backend.context: "app/Dockerfile" is not allowed; allowed: a folder that exists`}},
		{"missing Dockerfile", raw("backend", `{"dockerfile":"Containerfile"}`), []string{
			`tarot:backend.dockerfile: "Containerfile" is not allowed; allowed: the path of a file that exists, relative to backend.context`}},
		{"missing Dockerfile outside the context", raw("backend", `{"dockerfile":"../docker/Dockerfile"}`), []string{
			`tarot:backend.dockerfile: "../docker/Dockerfile" is not allowed; allowed: the path of a file that exists, relative to backend.context`}},
		{"image", raw("backend", `{"image":"a b"}`), []string{
			`tarot:backend.image: "a b" is not allowed; allowed: an image reference such as registry.example/app:1.2, or empty`}},
		{"database outside the data folder", raw("backend", `{"databaseUrl":"sqlite:///./prod.db"}`), []string{
			`tarot:backend.databaseUrl: "sqlite:///./prod.db" is not allowed; allowed: ` + sqlite}},
		{"variable of the platform", raw("backend", `{"environment":{"PORT":"1"}}`), []string{
			`tarot:backend.environment: "PORT" is not allowed; allowed: a map of names to strings; not the names that have a key of their own (PORT is set by tarot:backend.port)`}},
		{"object for a variable", raw("backend", `{"environment":{"A":{"b":"c"}}}`), []string{
			`tarot:backend.environment: {"A":{"b":"c"}} is not allowed; allowed: a map of names to strings; not the names that have a key of their own`}},
		{"secret in lower case", raw("backend", `{"secrets":["apiKey"]}`, "apiKey", "x"), []string{
			`tarot:backend.secrets: "apiKey" is not allowed; allowed: a list of variable names, upper case`}},
		{"secret without a value", raw("backend", `{"secrets":["API_KEY"]}`), []string{
			`tarot:backend.secrets: "API_KEY" is not allowed; allowed: names whose value is set by pulumi config set --secret tarot:API_KEY`}},
		{"secret that is not listed", raw("API_KEY", "x"), []string{"tarot:API_KEY: there is no such key; allowed: " + topKeys}},
		{"text for a list", raw("backend", `{"command":"uvicorn app"}`), []string{
			`tarot:backend.command: "uvicorn app" is not allowed; allowed: a list of words`}},

		{"registry without a slash", raw("build", `{"baseRegistry":"mirror"}`), []string{
			`tarot:build.baseRegistry: "mirror" is not allowed; allowed: empty, or a prefix that ends in /`}},
		{"password in a build argument", raw("build", `{"pipIndexUrl":"https://me:pw@pypi.example/simple"}`), []string{
			`tarot:build.pipIndexUrl: "https://me:***@pypi.example/simple" is not allowed; allowed: ` + plain}},
		{"build argument's name", raw("build", `{"args":{"A B":"1"}}`), []string{
			`tarot:build.args: "A B" is not allowed; allowed: ` + buildArgs}},
		{"password in another one", raw("build", `{"args":{"INDEX":"https://me:pw@pypi.example/simple"}}`), []string{
			`tarot:build.args: "INDEX" is not allowed; allowed: ` + buildArgs}},
		{"a base by its digest", raw("build", `{"baseImages":{"python@sha256:`+strings.Repeat("0", 64)+`":"python:3"}}`), []string{
			`tarot:build.baseImages: "python@sha256:` + strings.Repeat("0", 64) + `" is not allowed; allowed: ` + bases}},
		{"what is to stand for a base", raw("build", `{"baseImages":{"python:3":"Not an image"}}`), []string{
			`tarot:build.baseImages: "Not an image" is not allowed; allowed: ` + bases}},
		{"a build's secret without a value", raw("build", `{"secrets":["TOKEN"]}`), []string{
			`tarot:build.secrets: "TOKEN" is not allowed; allowed: names whose value is set by pulumi config set --secret tarot:TOKEN`}},
		{"a build's secret in lower case", raw("build", `{"secrets":["token"]}`, "token", "x"), []string{
			`tarot:build.secrets: "token" is not allowed; allowed: a list of variable names, upper case, each once`}},
		{"a build's secret twice", raw("build", `{"secrets":["T","T"]}`, "T", "x"), []string{
			`tarot:build.secrets: "T" is not allowed; allowed: a list of variable names, upper case, each once`}},
		{"platform", raw("build", `{"platform":"arm"}`), []string{
			`tarot:build.platform: "arm" is not allowed; allowed: empty, or os/architecture`}},

		{"server name", raw("nginx", `{"serverNames":["a_b;"]}`), []string{
			`tarot:nginx.serverNames: "a_b;" is not allowed; allowed: a list of host names`}},
		{"trusted address instead of a network", raw("nginx", `{"trustedProxies":["10.1.2.3"]}`), []string{
			`tarot:nginx.trustedProxies: "10.1.2.3" is not allowed; allowed: ` + proxies}},
		{"trusted network with host bits", raw("nginx", `{"trustedProxies":["10.1.2.3/24"]}`), []string{
			`tarot:nginx.trustedProxies: "10.1.2.3/24" is not allowed; allowed: ` + proxies}},
		{"everybody trusted", raw("nginx", `{"trustedProxies":["::/0"]}`), []string{
			`tarot:nginx.trustedProxies: "::/0" is not allowed; allowed: ` + proxies}},
		{"the PROXY protocol of nobody", raw("nginx", `{"proxyProtocol":true}`), []string{
			`tarot:nginx.proxyProtocol: "true" is not allowed; allowed: ` + proxied}},
		{"the PROXY protocol of an edge", raw("nginx", `{"proxyProtocol":true,"trustedProxies":["10.0.0.0/8"],"edge":"front","serverNames":["shop.example"],"tls":{"mode":"off"}}`), []string{
			`tarot:nginx.proxyProtocol: "true" is not allowed; allowed: ` + proxied}},
		{"an address may come", raw("nginx", `{"allowFrom":["10.1.2.3","10.1.2.3/24","::ffff:10.0.0.0/104","all"]}`), []string{
			`tarot:nginx.allowFrom: "10.1.2.3" is not allowed; allowed: ` + comers, `tarot:nginx.allowFrom: "10.1.2.3/24" is not allowed; allowed: ` + comers,
			`tarot:nginx.allowFrom: "::ffff:10.0.0.0/104" is not allowed; allowed: ` + comers, `tarot:nginx.allowFrom: "all" is not allowed; allowed: ` + comers}},
		{"who may come to no port", raw("nginx", `{"edge":"front","allowFrom":["10.0.0.0/8"],"serverNames":["shop.example"],"tls":{"mode":"off"}}`), []string{`tarot:nginx.allowFrom: "10.0.0.0/8" is not allowed; allowed: ` + comers}},
		{"login path", raw("nginx", `{"loginPaths":["login"]}`), []string{
			`tarot:nginx.loginPaths: "login" is not allowed; allowed: a list of paths that begin with / and do not end in one`}},
		{"login rate", raw("nginx", `{"loginRate":-1,"connections":70000,"hsts":"500ms"}`), []string{
			`tarot:nginx.connections: "70000" is not allowed; allowed: a whole number from 0 to 65535`, `tarot:nginx.hsts: "500ms" is not allowed; allowed: 0s, or a duration of whole seconds`,
			`tarot:nginx.loginRate: "-1" is not allowed; allowed: a whole number from 0 to 100000`}},
		{"who may ask, of no path", raw("nginx", `{"allow":{"admin":["10.0.0.0/8"]}}`), []string{`tarot:nginx.allow: "admin" is not allowed; allowed: ` + admitted}},
		{"nobody may ask", raw("nginx", `{"allow":{"/admin":[]}}`), []string{`tarot:nginx.allow: "/admin" is not allowed; allowed: ` + admitted}},
		{"an address may ask", raw("nginx", `{"allow":{"/admin":["10.1.2.3/24"]}}`), []string{`tarot:nginx.allow: "10.1.2.3/24" is not allowed; allowed: ` + admitted}},
		{"one network for a path", raw("nginx", `{"allow":{"/admin":"10.0.0.0/8"}}`), []string{`tarot:nginx.allow: {"/admin":"10.0.0.0/8"} is not allowed; allowed: ` + admitted}},
		{"TLS mode", raw("nginx", `{"tls":{"mode":"on"}}`), []string{
			`tarot:nginx.tls.mode: "on" is not allowed; allowed: off, selfSigned, given or acme`}},
		{"address with swarm", raw("runtime", "swarm", "nginx", `{"address":"127.0.0.1"}`), []string{
			`tarot:nginx.address: "127.0.0.1" is not allowed; allowed: empty, or an IP address of the engine's host (containers runtime only)`}},
		{"one port for HTTP and HTTPS", raw("nginx", `{"httpPort":8443,"httpsPort":8443}`), []string{
			`tarot:nginx.httpsPort: "8443" is not allowed; allowed: another port than nginx.httpPort's`}},
		{"subnet with host bits", raw("networks", `{"edgeSubnet":"10.1.2.3/24"}`), []string{
			`tarot:networks.edgeSubnet: "10.1.2.3/24" is not allowed; allowed: ` + subnet}},
		{"subnets that overlap", raw("networks", `{"edgeSubnet":"10.1.0.0/16","backendSubnet":"10.1.2.0/24"}`), []string{
			`tarot:networks.backendSubnet: "10.1.2.0/24" is not allowed; allowed: ` + subnet}},
		{"volume name", raw("volumes", `{"data":"a/b"}`), []string{`tarot:volumes.data: "a/b" is not allowed; allowed: ` + volume}},
		{"no data volume", raw("volumes", `{"data":""}`), []string{`tarot:backend.databaseUrl: "sqlite:///./data/prod.db" is not allowed; allowed: ` + sqlite + ` (volumes.data is empty, so that nothing would keep it)`}},
		{"volumes of the contract's names", raw("backend", `{"volumes":{"data":"/x","Up":"/y"}}`), []string{
			`tarot:backend.volumes: "Up: /y" is not allowed; allowed: ` + further2, `tarot:backend.volumes: "data: /x" is not allowed; allowed: ` + further2}},
		{"volumes at other places", raw("backend", `{"volumes":{"a":"x","b":"/tmp/x","c":"/","d":"/x/","e":"/x/../y","f":"/usr/bin","g":":/x","h":"a b:/x"}}`), []string{
			`tarot:backend.volumes: "a: x" is not allowed; allowed: ` + further2, `tarot:backend.volumes: "b: /tmp/x" is not allowed; allowed: ` + further2,
			`tarot:backend.volumes: "c: /" is not allowed; allowed: ` + further2, `tarot:backend.volumes: "d: /x/" is not allowed; allowed: ` + further2,
			`tarot:backend.volumes: "e: /x/../y" is not allowed; allowed: ` + further2, `tarot:backend.volumes: "f: /usr/bin" is not allowed; allowed: ` + further2,
			`tarot:backend.volumes: "g: :/x" is not allowed; allowed: ` + further2, `tarot:backend.volumes: "h: a b:/x" is not allowed; allowed: ` + further2}},
		{"one place for two", raw("backend", `{"volumes":{"a":"/x","b":"/app/data"},"tmpfs":["/x","/tmp","/run/secrets"]}`), []string{
			`tarot:backend.tmpfs: "/run/secrets" is not allowed; allowed: ` + memory,
			`tarot:backend.tmpfs: "/tmp" is not allowed; allowed: ` + memory,
			`tarot:backend.tmpfs: "/x" is not allowed; allowed: ` + memory + ` (/x is backend.volumes's)`,
			`tarot:backend.volumes: "b: /app/data" is not allowed; allowed: ` + further2 + ` (/app/data is volumes.data's)`}},
		{"one further volume for two", raw("backend", `{"volumes":{"a":"tarot_logs:/y"}}`), []string{
			`tarot:volumes.logs: "tarot_logs" is not allowed; allowed: another name than backend.volumes.a's`}},
		{"uploads that have a place already", raw("volumes", `{"uploads": "shop"}`, "backend", `{"volumes": {"uploads": "/srv/x"}}`), []string{
			`tarot:volumes.uploads: "shop" is not allowed; allowed: empty, or a volume name: letters, digits, _ . and -; empty where backend.volumes has an uploads`}},
		{"uploads in the place of others", raw("volumes", `{"uploads": "shop"}`, "backend", `{"volumes": {"media": "/app/uploads"}, "tmpfs": ["/app/uploads"]}`), []string{
			`tarot:backend.tmpfs: "/app/uploads" is not allowed; allowed: ` + memory + ` (/app/uploads is backend.volumes's)`,
			`tarot:backend.volumes: "media: /app/uploads" is not allowed; allowed: ` + further2 + ` (/app/uploads is volumes.uploads's)`}},
		{"uploads among static files", raw("volumes", `{"uploads": "shop"}`, "backend", `{"staticDir": "uploads"}`), []string{
			`tarot:backend.staticDir: "uploads" is not allowed; allowed: ` + static + ` (/app/uploads is for what the application writes)`}},
		{"uploads by the name of others", raw("volumes", `{"uploads": "tarot_logs"}`), []string{
			`tarot:volumes.uploads: "tarot_logs" is not allowed; allowed: another name than volumes.logs's`}},
		{"working folder", raw("backend", `{"workingDir":"code","databaseUrl":""}`), []string{
			`tarot:backend.workingDir: "code" is not allowed; allowed: an absolute path, none of the system's`}},
		{"static files in the working folder itself", raw("backend", `{"staticDir":"."}`), []string{`tarot:backend.staticDir: "." is not allowed; allowed: ` + static}},
		{"static files nowhere", raw("backend", `{"staticDir":""}`), []string{`tarot:backend.staticDir: "" is not allowed; allowed: ` + static}},
		{"static files in the system", raw("backend", `{"staticDir":"/usr/lib/x"}`), []string{`tarot:backend.staticDir: "/usr/lib/x" is not allowed; allowed: ` + static}},
		{"static files in a volume", raw("backend", `{"staticDir":"data"}`), []string{
			`tarot:backend.staticDir: "data" is not allowed; allowed: ` + static + ` (/app/data is for what the application writes)`}},
		{"static files in a further volume", raw("backend", `{"staticDir":"../srv/x","volumes":{"a":"/srv/x"}}`), []string{
			`tarot:backend.volumes: "a: /srv/x" is not allowed; allowed: ` + further2 + ` (/srv/x is volumes.static's)`}},
		{"hosts", raw("backend", `{"extraHosts":{"db":"elsewhere"}}`), []string{
			`tarot:backend.extraHosts: "db: elsewhere" is not allowed; allowed: a map of host names to IP addresses`}},
		{"one volume for two", raw("volumes", `{"logs":"tarot_db_data"}`), []string{
			`tarot:volumes.logs: "tarot_db_data" is not allowed; allowed: another name than volumes.data's`}},
		{"no logging driver", raw("logging", `{"driver":""}`), []string{
			`tarot:logging.driver: "" is not allowed; allowed: a logging driver that the engine has, such as json-file`}},

		{"nothing answers", raw("nginx", `{"enabled":false}`), []string{
			`tarot:backend.publishPort: "0" is not allowed; allowed: a port, as nginx.enabled is false and nothing else would answer`}},
		{"published from an internal network", raw("backend", "{"+dev+"}"), []string{
			`tarot:networks.isolated: "true" is not allowed; allowed: ` +
				`false where backend.publishPort or backend.debuggerPort is set (an internal network publishes nothing)`}},
		{"published twice", raw("backend", `{"publishPort":8000}`, "networks", `{"isolated":false}`), []string{
			`tarot:backend.replicas: "3" is not allowed; ` +
				`allowed: 1 where backend.publishPort or backend.debuggerPort is set: a host port has one owner`}},
		{"published by swarm", raw("runtime", "swarm", "backend", "{"+dev+"}", "networks", `{"isolated":false}`), []string{
			`tarot:backend.publishPort: "8000" is not allowed; allowed: ` +
				`0 (and backend.debuggerPort 0) with the swarm runtime, which can not bind to one address`}},
		{"one port for two", raw("backend", "{"+dev+`,"debuggerPort":8000}`, "networks", `{"isolated":false}`), []string{
			`tarot:backend.debuggerPort: "8000" is not allowed; allowed: another port than backend.publishPort's`}},
		{"mounted code with replicas", raw("backend", `{"mountCode":true}`), []string{
			`tarot:backend.mountCode: "true" is not allowed; allowed: true or false; needs backend.replicas 1`}},
		{"mounted code with swarm", raw("runtime", "swarm", "backend", `{"mountCode":true,"replicas":1}`), []string{
			`tarot:backend.mountCode: "true" is not allowed; allowed: false with the swarm runtime, whose tasks may run on another machine`}},

		{"short secrets", raw("jwtSecretKey", ownKey[1:], "adminPassword", "1234567"), []string{
			"tarot:adminPassword: a secret of 7 bytes is not allowed; allowed: at least 8 bytes, or none for a generated one",
			"tarot:jwtSecretKey: a secret of 31 bytes is not allowed; allowed: at least 32 bytes, or none for a generated one"}},
		{"several at once", raw("runtime", "x", "backend", `{"port":-1,"replicas":0,"memory":"1m"}`), []string{
			`tarot:backend.memory: "1m" is not allowed; allowed: ` + sizes,
			`tarot:backend.port: "-1" is not allowed; allowed: a whole number from 1 to 65535`,
			`tarot:backend.replicas: "0" is not allowed; allowed: a whole number from 1 to 100`,
			`tarot:runtime: "x" is not allowed; allowed: containers or swarm`}},
		{"several of the wrong type", raw("backend", `{"port":"x","replicas":"y"}`, "replica", "1"), []string{
			`tarot:backend.port: "x" is not allowed; allowed: a whole number from 1 to 65535`,
			`tarot:backend.replicas: "y" is not allowed; allowed: a whole number from 1 to 100`,
			"tarot:replica: there is no such key; allowed: " + topKeys}},
		{"an empty key", raw("", `{"a":"b"}`), []string{"tarot:: there is no such key; allowed: " + topKeys}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inProject(t)
			_, err := Load(test.raw)
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestGoodInputIsTaken(t *testing.T) {
	for _, test := range []struct {
		name string
		raw  map[string]string
		ok   func(Config) bool
	}{
		{"nothing", nil, func(c Config) bool { return c.Backend.Replicas == 3 && c.Runtime == "containers" }},
		{"another namespace", map[string]string{"docker:host": "tcp://x", "tarot2:replica": "1"}, func(Config) bool { return true }},
		{"one key of an object leaves the others", raw("backend", `{"replicas":5}`), func(c Config) bool {
			return c.Backend.Replicas == 5 && c.Backend.Port == 8000 && c.Backend.Health.Retries == 3
		}},
		{"numbers and booleans as log options", raw("logging", `{"options":{"max-file":5,"max-size":"10m","compress":true,"x":0.10}}`),
			func(c Config) bool {
				return maps.Equal(c.Logging.Options, map[string]string{"max-file": "5", "max-size": "10m", "compress": "true", "x": "0.10"})
			}},
		{"a map replaces the default", raw("logging", `{"options":{}}`), func(c Config) bool { return len(c.Logging.Options) == 0 }},
		{"a list replaces the default", raw("swarm", `{"constraints":[]}`), func(c Config) bool { return len(c.Swarm.Constraints) == 0 }},
		{"numbers as variables", raw("backend", `{"environment":{"N":12345678901234567890}}`), func(c Config) bool {
			return c.Backend.Environment["N"] == "12345678901234567890"
		}},
		{"the least memory", raw("backend", `{"memory":"6m"}`), func(c Config) bool { return c.Backend.Memory == 6<<20 }},
		{"whole cores", raw("backend", `{"cpus":2}`), func(c Config) bool { return c.Backend.CPUs == 2 }},
		{"a ready image needs no folder", raw("backend", `{"image":"example.org/a:1@sha256:0123","context":"nowhere"}`), func(c Config) bool {
			return c.Backend.Image == "example.org/a:1@sha256:0123"
		}},
		{"duration", raw("backend", `{"health":{"interval":"1m30s"}}`), func(c Config) bool {
			return c.Backend.Health.Interval == 90*time.Second
		}},
		{"own secrets", raw("adminPassword", "{not JSON", "backend", `{"secrets":["API_KEY"]}`, "API_KEY", "k"), func(c Config) bool {
			return maps.Equal(c.Secrets, map[string]string{"adminPassword": "{not JSON", "API_KEY": "k"})
		}},
		{"secrets that are just long enough", raw("jwtSecretKey", ownKey, "adminPassword", "12345678"), func(c Config) bool {
			return len(c.Secrets) == 2
		}},
		{"one port where HTTPS is off", raw("nginx", `{"httpPort":8443,"httpsPort":8443,"tls":{"mode":"off"}}`), func(c Config) bool {
			return len(c.Ports()) == 1
		}},
		{"same subnet where nothing is isolated", raw("networks", `{"isolated":false,"edgeSubnet":"10.213.1.0/24"}`), func(c Config) bool {
			return !c.Networks.Isolated
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inProject(t)
			cfg, err := Load(test.raw)
			if err != nil {
				t.Fatal(err)
			}
			if !test.ok(cfg) {
				t.Errorf("%+v", cfg)
			}
		})
	}
}

func TestPorts(t *testing.T) {
	cfg := Defaults()
	cfg.Nginx.Address, cfg.Backend.PublishPort, cfg.Backend.DebuggerPort = "::1", 8000, 5678
	want := []Port{{"nginx.httpPort", "nginx.address", "::1", 80}, {"nginx.httpsPort", "nginx.address", "::1", 443},
		{"backend.publishPort", "backend.publishAddress", "127.0.0.1", 8000}, {"backend.debuggerPort", "backend.publishAddress", "127.0.0.1", 5678}}
	if got := cfg.Ports(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	cfg.Nginx.Enabled = false
	if got := cfg.Ports(); !slices.Equal(got, want[2:]) {
		t.Errorf("without nginx: %v", got)
	}
}

func TestWhatAnApplicationMayLeaveOutOrHaveElsewhere(t *testing.T) {
	inProject(t)
	for name, given := range map[string]map[string]string{
		"no data and no database":           raw("volumes", `{"data":""}`, "backend", `{"databaseUrl":""}`),
		"no data, and a database elsewhere": raw("volumes", `{"data":""}`, "databaseUrl", "postgresql://u:p@db/x"),
		"a port as tutorials have it":       raw("backend", `{"port":80}`),
		"static files elsewhere":            raw("backend", `{"staticDir":"/srv/static"}`),
		"further volumes":                   raw("backend", `{"workingDir":"/code","volumes":{"uploads":"/code/media","cache-2":"shared:/var/lib/app"},"tmpfs":["/code/cache","/run/app"],"extraHosts":{"db.example":"10.0.0.7"}}`),
	} {
		if _, err := Load(given); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDatabaseInDataFolder(t *testing.T) {
	for address, want := range map[string]bool{
		"sqlite:///./data/prod.db":                true,
		"sqlite:///data/prod.db":                  true,
		"sqlite:////app/data/prod.db":             true,
		"sqlite:////app/data/sub/prod.db":         true,
		"sqlite+aiosqlite:///data/prod.db":        true,
		"sqlite:///data/prod.db?timeout=5":        true,
		"postgresql+psycopg://u:p@db.example/tar": true,

		"":                              false,
		"data/prod.db":                  false,
		"sqlite:":                       false,
		"sqlite://":                     false, // in memory
		"sqlite:///:memory:":            false,
		"sqlite:///prod.db":             false,
		"sqlite:///./data":              false,
		"sqlite:///data/../prod.db":     false,
		"sqlite:////data/prod.db":       false,
		"sqlite:////app/database/p.db":  false,
		"sqlite:////app/data/../p.db":   false,
		"sqlite:////tmp/prod.db":        false,
		"sqlite://host/app/data/pr.db":  false,
		"sqlite+aiosqlite:////tmp/p.db": false,
		"postgresql:///tar":             false,
		"://x":                          false,
	} {
		if got := Defaults().databaseInVolume(address); got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
	cfg := Defaults()
	cfg.Backend.WorkingDir, cfg.Backend.Volumes, cfg.Volumes.Data = "/code", map[string]string{"db": "/var/lib/app"}, ""
	for address, want := range map[string]bool{"sqlite:////var/lib/app/x.db": true, "sqlite:///data/x.db": false, "sqlite:////code/data/x.db": false} {
		if got := cfg.databaseInVolume(address); got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
	cfg.Volumes.Data = "d"
	if !cfg.databaseInVolume("sqlite:///data/x.db") || cfg.databaseInVolume("sqlite:////app/data/x.db") {
		t.Error("it is not relative to the working folder")
	}
}

func TestBytesAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]Bytes{
		"512m": 512 << 20, "1g": 1 << 30, "1536m": 1536 << 20, "10k": 10 << 10, "6143k": 6143 << 10,
	} {
		got, err := ParseBytes(text)
		if err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
		if again := got.String(); again != text {
			t.Errorf("%s is written as %s", text, again)
		}
	}
	for text, want := range map[string]int{"1G": 1024, "0.5g": 512, "512MiB": 512, "512mb": 512, "7000k": 6} {
		if got, err := ParseBytes(text); err != nil || got.MiB() != want {
			t.Errorf("%s: %d MiB, %v; want %d", text, got.MiB(), err, want)
		}
	}
	for _, text := range []string{"", "512", "m", "-1m", "1 m", "1t", "1e3m", "1.m", "0x1m", "1m\n"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

// ownKey is as long as it has to be.
const ownKey = "12345678901234567890123456789012"

func FuzzDecode(f *testing.F) {
	for _, path := range stackFiles(f) {
		for key, value := range configtest.Raw(f, configtest.Tree(f, path)) {
			f.Add(key, value)
		}
	}
	for _, value := range []string{
		"", "null", "{", "[]", "{}", `{"":null}`, `{"replicas":1e400}`, `{"options":{"a":[]}}`, `{"health":{"interval":"-1s"}}`,
	} {
		for _, key := range append(keys(reflect.TypeFor[Config]()), "", "adminPassword") {
			f.Add(Namespace+":"+key, value)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		t.Chdir(root) // where ./app is
		cfg, err := Load(map[string]string{key: value, Namespace + ":jwtSecretKey": ownKey})
		if err == nil && (cfg.Backend.Replicas < 1 || cfg.Backend.Memory < engineMinimum || cfg.Secrets["jwtSecretKey"] != ownKey) {
			t.Errorf("%s %q is valid: %+v", key, value, cfg)
		}
		if err != nil && !strings.HasPrefix(err.Error(), Namespace+":") {
			t.Errorf("%s %q: no key in %q", key, value, err)
		}
	})
}
