// Package config is the stack's configuration: one typed tree below the
// project's own namespace, decoded strictly, checked as a whole, and passed on
// as plain data. Nothing else in the program reads Pulumi's configuration.
//
// docs/configuration.md is generated from the comments and tags of this file:
// `go generate ./internal/config`.
package config

import "time"

//go:generate go run ./gen ../../docs/configuration.md ../../docs/stack.schema.json

// Config is everything that a stack file can say. The committed stack files
// name every key, so that two stacks differ by values only.
type Config struct {
	// How workloads become resources: `containers` makes plain Docker containers
	// on one engine, `swarm` makes Swarm services.
	Runtime string `key:"runtime" allowed:"containers or swarm"`
	// The application.
	Backend Backend `key:"backend"`
	// How the application's image is built. Ignored where `backend.image` is set.
	Build Build `key:"build"`
	// Further programs of the application's: workers, schedulers, other web servers. Part of
	// a release.
	Services map[string]Service `key:"services" allowed:"an object for each service, by a name of at most 32 lower case letters, digits and -, that begins with a letter and is none of the platform's own"`
	// What nginx sends to whom, where it is not the backend. Part of a release.
	Routes map[string]Route `key:"routes" allowed:"an object for each route, by a name of at most 32 lower case letters, digits and -, that begins with a letter"`
	// Other stacks on the same engine, to which nginx sends what is asked of their names. No
	// part of a release.
	Sites map[string]Site `key:"sites" allowed:"an object for each site, by a name of at most 32 lower case letters, digits and -, that begins with a letter"`
	// Commands that run when they are due. Part of a release.
	Schedules map[string]Schedule `key:"schedules" allowed:"an object for each schedule, by a name of at most 32 lower case letters, digits and -, that begins with a letter; no service is called cron-NAME"`
	// The reverse proxy in front of the backend.
	Nginx Nginx `key:"nginx"`
	// Answer every request with a maintenance page (503). It is also shown while
	// no replica answers. No part of a release.
	Maintenance bool `key:"maintenance" allowed:"true or false"`
	// What an `up` makes of a change, and what can be returned to.
	Releases Releases `key:"releases"`
	// What is looked at before an `up` touches anything. No part of a release.
	Preflight Preflight `key:"preflight"`
	// Metrics, alerts and dashboards. No part of a release.
	Monitoring Monitoring `key:"monitoring"`
	// Where the application's database is. No part of a release.
	Database Database `key:"database"`
	// A Valkey for the application. No part of a release.
	Cache Cache `key:"cache"`
	// Copies of what users have stored, and rehearsals of bringing it back. No part of a release.
	Backup Backup `key:"backup"`
	// The networks between the workloads.
	Networks Networks `key:"networks"`
	// The named volumes that hold what must survive.
	Volumes Volumes `key:"volumes"`
	// How the engine keeps the workloads' standard output.
	Logging Logging `key:"logging"`
	// What only the swarm runtime needs.
	Swarm Swarm `key:"swarm"`

	// Which generation of the generated secrets is used. Another number makes a
	// new value.
	SecretVersions SecretVersions `key:"secretVersions"`

	// Secrets are the flat secret keys of the namespace, by their key.
	Secrets map[string]string
}

// Backend describes the application. See docs/application.md for the contract.
type Backend struct {
	// A ready image to run instead of building one, with a tag or a digest.
	// Empty: build from `context`.
	Image string `key:"image" allowed:"an image reference such as registry.example/app:1.2, or empty"`
	// The application's folder, relative to the Pulumi project.
	Context string `key:"context" allowed:"a folder that exists"`
	// The Dockerfile, relative to `context`, which it need not be in: `../docker/Dockerfile`.
	Dockerfile string `key:"dockerfile" allowed:"the path of a file that exists, relative to backend.context"`
	// The Dockerfile's stage to build. Empty: its last one.
	Target string `key:"target" allowed:"a stage name of the Dockerfile, or empty"`
	// What to start instead of the image's own ENTRYPOINT and CMD. Empty: the
	// image's own.
	Command []string `key:"command" allowed:"a list of words"`
	// What brings the database's schema up to date, in the application's image,
	// before the first replica of a release starts; the replicas then get
	// `MIGRATE_ON_START=false`. Empty: the replicas do that themselves.
	Migrate []string `key:"migrate" allowed:"a list of words"`
	// Services that have to run before it does, and before `migrate`: a database of one's
	// own, say.
	DependsOn []string `key:"dependsOn" allowed:"a list of names in services, whose image is not the backend's; each once"`
	// What is asked through nginx before an `up` is called a success.
	Smoke Smoke `key:"smoke"`
	// How many containers run the application.
	Replicas int `key:"replicas" allowed:"a whole number from 1 to 100"`
	// The port that the application listens on inside its container (`PORT`).
	Port int `key:"port" allowed:"a whole number from 1 to 65535"`
	// Server processes in each container (`WORKERS`, and `WEB_CONCURRENCY`, which Gunicorn and
	// Uvicorn read).
	Workers int `key:"workers" allowed:"a whole number from 1 to 64"`
	// Verbose errors and reload on a code change (`DEBUG`). false: the variable is not set.
	Debug bool `key:"debug" allowed:"true or false"`
	// Bind-mount `context` at `workingDir`, so that a saved file is served without a
	// build. Needs the engine to be on this machine; with a remote one the
	// program says so and runs from the image.
	MountCode bool `key:"mountCode" allowed:"true or false; needs backend.replicas 1"`
	// The port on `publishAddress` for a debugpy client. 0: no debugger.
	DebuggerPort int `key:"debuggerPort" allowed:"0, or a whole number from 1 to 65535"`
	// The host port on which the backend answers directly. 0: only nginx
	// publishes ports.
	PublishPort int `key:"publishPort" allowed:"0, or a whole number from 1 to 65535"`
	// The host address that `publishPort` and `debuggerPort` are bound to.
	PublishAddress string `key:"publishAddress" allowed:"an IP address of the engine's host"`
	// The folder of the application's code. Its folders data and logs are where the volumes of
	// these names are, and it is what a relative SQLite file and `staticDir` are relative to. It
	// does not change where the image's processes start.
	WorkingDir string `key:"workingDir" allowed:"an absolute path, none of the system's"`
	// The folder that the image has the release's static files in, such as what Django's
	// STATIC_ROOT names: relative to `workingDir`, or absolute. The volume `volumes.static` is
	// mounted there.
	StaticDir string `key:"staticDir" allowed:"a folder's path, of none of the system's folders and not workingDir itself, that nothing else is mounted at"`
	// The database (`DATABASE_URL`). A SQLite file has to be in a volume: inside the working
	// folder's data, or inside one of `volumes`. One with a password is the secret
	// `databaseUrl`, which goes before this. Empty: there is none. Not used where `database.kind`
	// is postgres.
	DatabaseURL string `key:"databaseUrl" allowed:"empty, or a URL; the file of a sqlite: one inside a volume, such as sqlite:///./data/prod.db inside /app/data"`
	// Further volumes, by names of your own, for what must survive a container: uploads, say.
	// No update removes one. What the image has at the path is what it begins with.
	Volumes map[string]string `key:"volumes" allowed:"a map of names (small letters, digits and -; not data, static and logs) to absolute paths, each a path of its own, or to VOLUME:PATH where the volume has a name"`
	// Further folders that may be written, in memory: what is in them counts as the
	// container's memory, and is gone with it.
	Tmpfs []string `key:"tmpfs" allowed:"a list of absolute paths, none of the system's, each a path of its own; /tmp is one already"`
	// Further environment variables, or other values than the platform's. They are readable
	// in `docker inspect`: use `secrets` for what must not be.
	Environment map[string]string `key:"environment" allowed:"a map of names to strings; not the names that have a key of their own"`
	// A file of further environment variables in .env form, as `docker compose` reads it,
	// relative to the Pulumi project. `environment` goes before it. It is a part of the
	// release, and no place for secrets. Empty: none.
	EnvironmentFile string `key:"environmentFile" allowed:"empty, or a file in .env form that exists"`
	// Variables of the platform that the application does not get.
	Unset []string `key:"unset" allowed:"a list of variables that the platform sets, and backend.environment does not"`
	// Further host names that the application finds, with their addresses. In Swarm a change
	// replaces the service, with a gap.
	ExtraHosts map[string]string `key:"extraHosts" allowed:"a map of host names to IP addresses"`
	// Names of further secrets. The value of NAME is set by
	// `pulumi config set --secret tarot:NAME`, and the application finds it in
	// the file that its variable NAME_FILE names.
	Secrets []string `key:"secrets" allowed:"a list of variable names, upper case"`
	// Names of secrets for programs that read no file: the variable NAME holds the value,
	// beside the file that NAME_FILE names. It is read where the program starts, and in no
	// `docker inspect`.
	SecretEnvironment []string `key:"secretEnvironment" allowed:"a list of variable names, upper case, none of backend.secrets"`
	// Further names for what the platform gives: `DJANGO_SECRET_KEY: JWT_SECRET_KEY` is the
	// value of the secret `jwtSecretKey` in the variable DJANGO_SECRET_KEY. What is a secret is
	// given as those of `secretEnvironment` are.
	Aliases map[string]string `key:"aliases" allowed:"a map of variable names, upper case, to variables that the platform sets, JWT_SECRET_KEY or ADMIN_PASSWORD"`
	// The fixed user and group that the process runs as.
	User string `key:"user" allowed:"uid:gid in numbers, not 0"`
	// The most CPU that one container gets, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that one container gets. Swap is off.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 6m (the engine's minimum), such as 512m or 1g"`
	// What the application logs (`LOG_LEVEL`). Empty: the variable is not set.
	LogLevel string `key:"logLevel" allowed:"empty, debug, info, warning or error"`
	// How the engine finds out whether a container is healthy.
	Health Health `key:"health"`
	// How long the application may take to finish what it has begun after
	// SIGTERM (`GRACEFUL_TIMEOUT`).
	Drain time.Duration `key:"drain" allowed:"a duration of whole seconds, shorter than backend.stopGrace"`
	// How long after SIGTERM the engine sends SIGKILL.
	StopGrace time.Duration `key:"stopGrace" allowed:"a duration of whole seconds, longer than backend.drain"`
	// Where the application answers what.
	Paths Paths `key:"paths"`
}

// Smoke is what a release has to answer. /health is always asked; an empty value
// leaves its question out.
type Smoke struct {
	// A path that answers a GET with 200.
	Read string `key:"read" allowed:"empty, or a path that begins with /"`
	// A path that answers a POST of `body` with 201 and the address of what it
	// has stored (Location), which is then read back and deleted.
	Write string `key:"write" allowed:"empty, or a path that begins with /"`
	// The body of that POST.
	Body string `key:"body" allowed:"empty, or JSON"`
	// A static file, below the folder of static files.
	Static string `key:"static" allowed:"empty, or the relative path of a file"`
	// A path that answers 401 without a password.
	Admin string `key:"admin" allowed:"empty, or a path that begins with /"`
}

// Releases says what is kept of earlier releases.
type Releases struct {
	// How many earlier releases can be returned to. The images and static files
	// of older ones are removed.
	Keep int `key:"keep" allowed:"a whole number from 1 to 100"`
	// The release to return to, by its name in `make releases`: its images, and its
	// `backend`, `build`, `services` and `routes`, are used in place of what the stack file
	// says. Empty: what the stack file says.
	Pin string `key:"pin" allowed:"empty, or the name of a release that make releases lists"`
}

// SecretVersions are the generations of the generated secrets.
type SecretVersions struct {
	// Of `jwtSecretKey`. A new one ends all logins.
	JWTSecretKey int `key:"jwtSecretKey" least:"32" allowed:"a whole number from 0 to 1000000"`
	// Of `adminPassword`.
	AdminPassword int `key:"adminPassword" least:"8" allowed:"a whole number from 0 to 1000000"`
	// Of `grafanaPassword`.
	GrafanaPassword int `key:"grafanaPassword" least:"8" allowed:"a whole number from 0 to 1000000"`
	// Of `cachePassword`.
	CachePassword int `key:"cachePassword" least:"16" allowed:"a whole number from 0 to 1000000"`
	// Of the password of the application's account in PostgreSQL.
	DatabasePassword int `key:"databasePassword" least:"32" allowed:"a whole number from 0 to 1000000"`
	// Of the passwords of Valkey's own accounts, for its health check and for who makes the others.
	CacheServerPassword int `key:"cacheServerPassword" least:"32" allowed:"a whole number from 0 to 1000000"`
	// Of the password by which the pooler's figures are read.
	PoolerPassword int `key:"poolerPassword" least:"32" allowed:"a whole number from 0 to 1000000"`
	// Of what the self-signed certificate is made of. Whoever trusts that one has to trust the next.
	TLSSeed int `key:"tlsSeed" least:"32" allowed:"a whole number from 0 to 1000000"`
	// Of the token by which a deploy asks nginx past the rotation.
	EdgeToken int `key:"edgeToken" least:"32" allowed:"a whole number from 0 to 1000000"`
}

// Paths are the URL paths of the application that the outputs point at.
type Paths struct {
	// The API's root.
	API string `key:"api" allowed:"a path that begins with / and does not end in one"`
	// The API's documentation.
	Docs string `key:"docs" allowed:"a path that begins with / and does not end in one"`
	// The admin pages.
	Admin string `key:"admin" allowed:"a path that begins with / and does not end in one"`
	// What answers 200 while the application does, as a release is asked through nginx.
	// Empty: `backend.health.path`, and where that is empty, too, /health.
	Health string `key:"health" allowed:"empty, or a path that begins with /: letters, digits, . _ ~ - and /"`
	// The metrics. nginx answers it with 404.
	Metrics string `key:"metrics" allowed:"a path that begins with / and does not end in one"`
	// The static files.
	Static string `key:"static" allowed:"a path that begins with / and does not end in one"`
}

// Build says where an image build gets its parts, for slow and closed networks.
type Build struct {
	// The prefix of base images (`BASE_REGISTRY`), such as
	// `registry.example/library/`. Empty: what the Dockerfile says.
	BaseRegistry string `key:"baseRegistry" allowed:"empty, or a prefix that ends in /"`
	// What to take for images that Dockerfiles name (FROM, and what is copied or mounted from
	// one), by their names with the tag: `python:3.11-slim: python:3.11-slim@sha256:…`, or the
	// place of a mirror. Another image here is another release. `make images-update` writes it.
	// An image that is not named here is what its tag means on the engine.
	BaseImages map[string]string `key:"baseImages" allowed:"a map of image names, without a digest, to image references"`
	// The Python package index (`PIP_INDEX_URL`).
	PipIndexURL string `key:"pipIndexUrl" allowed:"empty, or a URL without a password (build arguments are readable in docker history; build.secrets are not)"`
	// What stands for http://deb.debian.org (`APT_MIRROR`).
	AptMirror string `key:"aptMirror" allowed:"empty, or a URL without a password (build arguments are readable in docker history; build.secrets are not)"`
	// Further build arguments. Readable in `docker history`.
	Args map[string]string `key:"args" allowed:"a map of names to strings, none a URL with a password (build arguments are readable in docker history; build.secrets are not)"`
	// Names of secrets that Dockerfiles may mount while they are built: `RUN
	// --mount=type=secret,id=NAME` has the value in the file /run/secrets/NAME. It is set by
	// `pulumi config set --secret tarot:NAME`, is in no image, and another value alone builds
	// nothing anew.
	Secrets []string `key:"secrets" allowed:"a list of variable names, upper case, each once"`
	// The platform to build for, such as linux/arm64. Empty: the engine's own.
	Platform string `key:"platform" allowed:"empty, or os/architecture"`
	// What is done about known vulnerabilities in what was built. It is no part of a release:
	// a rollback keeps that of today.
	Scan Scan `key:"scan"`
}

// Nginx describes the edge.
type Nginx struct {
	// Run nginx in front of the backend.
	Enabled bool `key:"enabled" allowed:"true or false"`
	// The image: nginx 1.29.7 or later (it resolves upstream names again and
	// keeps connections to them), with curl for its health check.
	Image string `key:"image" allowed:"an image reference"`
	// The host address that its ports are bound to. Empty: all of them. The
	// swarm runtime knows no other.
	Address string `key:"address" allowed:"empty, or an IP address of the engine's host (containers runtime only)"`
	// The host port for HTTP.
	HTTPPort int `key:"httpPort" allowed:"a whole number from 1 to 65535"`
	// The host port for HTTPS. Unused where `tls.mode` is off.
	HTTPSPort int `key:"httpsPort" allowed:"a whole number from 1 to 65535, other than nginx.httpPort"`
	// The names that the site is known by. The first one is in the outputs, and
	// all are in a self-signed certificate. Whoever asks for another one, which is not the
	// engine's host either, gets no answer, but for the health check's path. Empty: the name
	// of the engine's host, and any name is answered.
	ServerNames []string `key:"serverNames" allowed:"a list of host names"`
	// The stack on the same engine whose nginx sends users here, by its name, or as
	// PROJECT/STACK: nginx then publishes no port, and TLS ends there. A change restarts nginx.
	// Empty: users come to the ports of this one.
	Edge string `key:"edge" allowed:"empty, STACK or PROJECT/STACK: letters, digits, - and _; a stack with networks.sitesSubnet, not this one itself"`
	// The networks of the load balancers or CDN in front, if there are any. Of
	// requests from there, `X-Forwarded-For` names the client, and
	// `X-Forwarded-Proto` says whether it used HTTPS; nobody else's are believed.
	TrustedProxies []string `key:"trustedProxies" allowed:"a list of networks in CIDR form, such as 10.20.0.0/16, each with its first address, none of all addresses"`
	// Those in front send the PROXY protocol, version 1 or 2, before each connection: the client is whom it names
	// (docs/security.md). Who comes by another way has to send it, too, and is not believed; `X-Forwarded-For` and
	// `X-Forwarded-Proto` are nobody's then.
	ProxyProtocol bool `key:"proxyProtocol" allowed:"true or false; false where nginx.trustedProxies is empty, as nobody would be believed, or nginx.edge is set, as that is in front"`
	// Users come by IPv6, too, with their own addresses: nginx listens there, and is on a network that has it
	// (docs/security.md). false: in plain containers they don't; in Swarm the engine's proxy brings them, and hides who they are.
	IPv6 bool `key:"ipv6" allowed:"true or false; false where nginx.enabled is false or nginx.edge is set, as no port is published, and where nginx.address is one of IPv4"`
	// Who may come to its ports at all, of IPv4 and of IPv6: the host refuses all others, once `make firewall` has set its
	// rules (docs/security.md). Empty: everybody.
	AllowFrom []string `key:"allowFrom" allowed:"a list of networks in CIDR form, such as 10.20.0.0/16, each with its first address; empty where nginx.enabled is false or nginx.edge is set: no port is published"`
	// The most CPU that it gets, in cores.
	CPUs float64 `key:"cpus" allowed:"a number from 0.01 to the cores of the engine"`
	// The most memory that it gets. Swap is off.
	Memory Bytes `key:"memory" allowed:"a size with a unit, at least 6m (the engine's minimum), such as 128m"`
	// TLS.
	TLS TLS `key:"tls"`
	// The largest request body. It may be larger than the memory: nginx keeps no
	// more than 1 MB of one.
	MaxBody Bytes `key:"maxBody" allowed:"a size with a unit, such as 10m"`
	// Requests a second that one client address may make of the backend on
	// average; what is above that and above `burst` is refused with 429. Static
	// files do not count. 0: no limit.
	RequestRate int `key:"requestRate" allowed:"a whole number from 0 to 100000"`
	// How many requests above the rate one client address may make at once.
	Burst int `key:"burst" allowed:"a whole number from 0 to 100000"`
	// How many requests of one client address may be under way at once, WebSockets among
	// them; those above are refused with 429. 0: no limit.
	Connections int `key:"connections" allowed:"a whole number from 0 to 65535"`
	// How many passwords one client address may try a minute, after as many at once: at
	// `loginPaths` and at Grafana's login. Those above are refused with 429. 0: no limit.
	LoginRate int `key:"loginRate" allowed:"a whole number from 0 to 100000"`
	// Where one logs in to the application, what is below included. A request there counts
	// that sends something (POST, not GET), or that has a password of its own (HTTP Basic).
	// Empty: Grafana alone has the limit.
	LoginPaths []string `key:"loginPaths" allowed:"a list of paths that begin with / and do not end in one"`
	// Who may ask for a path and what is below it, such as `/admin: [10.20.0.0/16]`; all
	// others get 403. A path that is not here is everybody's.
	Allow map[string][]string `key:"allow" allowed:"a map of paths, which begin with / and do not end in one, to lists of networks in CIDR form, such as 10.20.0.0/16, each with its first address"`
	// For how long browsers are to ask by HTTPS alone (HSTS). They are told only where
	// `tls.mode` is given and the certificate is not self-signed, or acme with a CA that they
	// trust. 0s: they are not told, and what they were told before holds until its time is over.
	HSTS time.Duration `key:"hsts" allowed:"0s, or a duration of whole seconds"`
	// How long browsers may keep a release's static files without asking again.
	StaticMaxAge time.Duration `key:"staticMaxAge" allowed:"a duration of whole seconds"`
	// How long nginx waits for the backend between two reads or writes. Then the
	// client gets 504, and no other replica the request.
	ProxyTimeout time.Duration `key:"proxyTimeout" allowed:"a duration of whole seconds, at least 1s"`
}

// TLS says where the certificate comes from. While it is on, HTTP only
// redirects to HTTPS.
type TLS struct {
	// `selfSigned` makes one from a seed in the state, and renews it by the
	// first `up` of a year; `given` takes `certificate` and `key`, or the secrets
	// `tlsCertificate` and `tlsKey`; `acme` gets one from a CA, and renews it by itself; `off`
	// serves plain HTTP.
	Mode string `key:"mode" allowed:"off, selfSigned, given or acme"`
	// The certificate chain in PEM form.
	Certificate string `key:"certificate" allowed:"a file that exists, or empty with the secret tlsCertificate"`
	// Its private key in PEM form.
	Key string `key:"key" allowed:"a file that exists and matches the certificate, or empty with the secret tlsKey"`
	// What `mode: acme` gets: docs/tls.md.
	ACME ACME `key:"acme"`
}

// Networks describes what the workloads can reach.
type Networks struct {
	// true: nginx has a network of its own with a way out (`edge`), and the
	// backend is on one without (`internal`). false: one network for all.
	Isolated bool `key:"isolated" allowed:"true or false"`
	// Let the backend reach the outside, by the edge network, although it is on
	// an internal one.
	BackendEgress bool `key:"backendEgress" allowed:"true or false"`
	// What goes from node to node is encrypted, in Swarm (IPsec). A change makes the networks anew, and restarts what
	// is on them.
	Encrypted bool `key:"encrypted" allowed:"true or false; false unless runtime is swarm"`
	// The addresses of the edge network. Unused where `isolated` is false.
	EdgeSubnet string `key:"edgeSubnet" allowed:"an IPv4 network in CIDR form, /16 to /28, that nothing else uses"`
	// The IPv6 addresses of the network on which nginx's ports are published. Used where `nginx.ipv6` is true and the
	// runtime is containers: in Swarm these are those of docker_gwbridge.
	IPv6Subnet string `key:"ipv6Subnet" allowed:"an IPv6 network in CIDR form, /48 to /112, that nothing else uses, such as one below fd00::/8"`
	// The addresses of the backend's network. The application believes the
	// forwarding headers (`FORWARDED_ALLOW_IPS`) of these only.
	BackendSubnet string `key:"backendSubnet" allowed:"an IPv4 network in CIDR form, /16 to /28, that nothing else uses"`
	// The addresses of the monitoring's network. Unused where `isolated` or
	// `monitoring.enabled` is false.
	MonitoringSubnet string `key:"monitoringSubnet" allowed:"an IPv4 network in CIDR form, /16 to /28, that nothing else uses"`
	// The addresses of the network on which nginx meets the nginx of other stacks, to be the
	// edge of those. A change restarts nginx. Empty: it is no other stack's edge.
	SitesSubnet string `key:"sitesSubnet" allowed:"empty, or an IPv4 network in CIDR form, /16 to /28, that nothing else uses"`
}

// Volumes names the volumes. An empty name means none.
type Volumes struct {
	// The volume driver. SQLite needs `local`: it corrupts on network file systems, and is refused
	// there. Volumes that are there keep theirs.
	Driver string `key:"driver" allowed:"the name of a volume driver that the engine has"`
	// What `driver` is given for each volume that it makes, as `docker volume create --opt`. Volumes
	// that are there keep theirs. They are readable in `docker volume inspect`.
	DriverOptions map[string]string `key:"driverOptions" allowed:"a map of names to strings; empty where volumes.mount is set"`
	// Where on the engine's machine a file system is mounted, such as an encrypted one: volumes with
	// data lie below it, each in a folder of its own name. Nothing is started while it is not mounted.
	// Empty: they lie where the engine has its own.
	Mount string `key:"mount" allowed:"empty, or an absolute path that is written in one way only, below /; empty unless volumes.driver is local"`
	// Refuse an `up` where what volumes with data lie on is not seen to be encrypted: by dm-crypt
	// (LUKS), wherever the engine has them, or by gocryptfs at `volumes.mount`.
	Encrypted bool `key:"encrypted" allowed:"true or false; false unless volumes.driver is local"`
	// The database's, at data in `backend.workingDir`. Empty: there is none, for an application
	// that keeps nothing in files.
	Data string `key:"data" allowed:"empty, or a volume name: letters, digits, _ . and -"`
	// What users upload, at uploads in `backend.workingDir` (`UPLOADS_DIR`). No release touches it.
	// Empty: there is none, or it is one of `backend.volumes`, with a path of your own.
	Uploads string `key:"uploads" allowed:"empty, or a volume name: letters, digits, _ . and -; empty where backend.volumes has an uploads"`
	// The published static files', at `backend.staticDir`, and read by nginx. Empty:
	// the files are those of the image or of the mounted code.
	Static string `key:"static" allowed:"empty, or a volume name: letters, digits, _ . and -"`
	// Files that the application logs to, at logs in `backend.workingDir`.
	Logs string `key:"logs" allowed:"empty, or a volume name: letters, digits, _ . and -"`
	// Keep the volumes when the stack is destroyed. No update removes one: another name is
	// refused unless there is a volume of that name (`make volume-copy`), and while this
	// is false, and in the first `up` after it has become true, it
	// has no effect, and a volume that is left out stays.
	Retain bool `key:"retain" allowed:"true or false"`
}

// Logging is passed to the engine for every workload.
type Logging struct {
	// The engine's logging driver.
	Driver string `key:"driver" allowed:"a logging driver that the engine has, such as json-file"`
	// The driver's options. A `tag` with the workload's name is added where
	// there is none.
	Options map[string]string `key:"options" allowed:"a map of names to strings"`
}

// Swarm is read by the swarm runtime only.
type Swarm struct {
	// Which node may run the tasks. The volumes, jobs and images that are
	// built are on the engine that Pulumi talks to, so this has to leave that one alone.
	Constraints []string `key:"constraints" allowed:"a list of placement constraints such as node.hostname==NAME, that one node fulfils"`
}

// Defaults are the values of keys that a stack file leaves out.
func Defaults() Config {
	return Config{
		Runtime: "containers",
		Backend: Backend{
			Context: "./app", Dockerfile: "Dockerfile",
			Replicas: 3, Port: 8000, Workers: 4, PublishAddress: "127.0.0.1",
			WorkingDir: "/app", StaticDir: "static", DatabaseURL: "sqlite:///./data/prod.db",
			User: "10001:10001", CPUs: 1, Memory: 512 << 20,
			Health: Health{Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: 60 * time.Second, Retries: 3},
			Drain:  30 * time.Second, StopGrace: 40 * time.Second,
			Paths: Paths{API: "/api/v1", Docs: "/docs", Admin: "/admin", Metrics: "/metrics", Static: "/static"},
		},
		Nginx: Nginx{
			Enabled: true, Image: "nginx:1.30", HTTPPort: 80, HTTPSPort: 443, CPUs: 0.5, Memory: 128 << 20,
			TLS: TLS{Mode: "selfSigned", ACME: ACME{CA: []string{"letsencrypt"}, Challenge: ByHTTP}}, MaxBody: 10 << 20, RequestRate: 2000, Burst: 4000, Connections: 1000,
			LoginRate: 10, HSTS: 2 * 365 * 24 * time.Hour,
			StaticMaxAge: 365 * 24 * time.Hour, ProxyTimeout: 60 * time.Second,
		},
		Build:      Build{Scan: Scan{FailOn: "critical", DatabaseDays: 5}},
		Releases:   Releases{Keep: 5},
		Networks:   Networks{Isolated: true, EdgeSubnet: "10.213.0.0/24", IPv6Subnet: "fdd5:213::/64", BackendSubnet: "10.213.1.0/24", MonitoringSubnet: "10.213.2.0/24"},
		Monitoring: monitoringDefaults(),
		Database:   databaseDefaults(),
		Cache:      cacheDefaults(),
		Backup:     backupDefaults(),
		Volumes:    Volumes{Driver: "local", Data: "tarot_db_data", Static: "tarot_static_data", Logs: "tarot_logs", Retain: true},
		Logging:    Logging{Driver: "json-file", Options: map[string]string{"max-size": "100m", "max-file": "5"}},
		Swarm:      Swarm{Constraints: []string{"node.role==manager"}},
	}
}
