// Package part is how the parts of the platform describe themselves: as data. A part is a
// pure function of the configuration and of what the other parts offer. It declares no
// resource, asks no engine, and knows no runtime; names stand for what other parts, or the
// same one, declare.
//
// The rollout (package components) makes of all descriptions what runs, by a runtime
// (components/runtime). Whatever else there is to know of a part follows from its
// description, too: the images that set-up gets, what is looked at before a deploy, what
// `make status` shows, which secrets can be rotated.
package part

import (
	"slices"
	"time"

	"tarot-platform/assets/prometheus"
	"tarot-platform/components/workload"
	"tarot-platform/internal/buildcontext"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// Part is one of the parts that the platform is made of.
type Part interface {
	// Name is the part's own, for errors and for what comes after it.
	Name() string
	// Spec describes the part. One that is switched off has no more than volumes to keep.
	Spec(Context) (Spec, error)
}

// Context is what a part may look at.
type Context struct {
	config.Config
	// Stack begins the names of everything in the engine: project-stack.
	Stack string
	// Host is where it will run.
	Host Host
	// Site is how the stack is reached.
	Site Site
	// Project begins the names of this project's stacks, and Peer is the stack that is this
	// one's edge; the zero one where there is none, or nothing is known of it.
	Project string
	Peer    Peer
	// Release is what is deployed.
	Release Release
	// Scheduler is the image that has the scheduler, where something is scheduled, and Helper
	// the one that has what backs up, where that is wanted.
	Scheduler, Helper Built
	// Archiving is the image of the stack's PostgreSQL with what archives it, where that is wanted.
	Archiving Built
	// ACMEImage is that of what gets the certificate, where that is wanted.
	ACMEImage Built
	// ArchivingNext is that of the version that database.next names.
	ArchivingNext Built
	// Pooling is the image of the pooler before it, where one is wanted.
	Pooling Built
	// Known are the volumes that Pulumi's state has, by the names of their resources, sorted.
	Known []string
	// Offered is what all parts offer. It is empty while they are asked what that is, so
	// what a part offers can not depend on it.
	Offered Offered
}

// Built is an image of the platform's own, by its exact name, and what it is built from.
type Built struct {
	Reference string
	Build     buildcontext.Build
}

// Host is what the engine and its machine say of themselves.
type Host struct {
	// Paths are where the engine keeps what cAdvisor has to see.
	Paths engine.HostPaths
	// Name is where published ports are reached from here.
	Name string
	// Local is true where the engine shares this machine's files.
	Local bool
	// Platform is the engine's os/architecture.
	Platform string
}

// Site is how the stack is reached.
type Site struct {
	// URL is where it answers, as users ask for it.
	URL string
	// Name is the first of the names that it was given; empty: it has none.
	Name string
	// Hosts are all names of it.
	Hosts []string
}

// Peer is a stack that is the edge of this one.
type Peer struct {
	// Stack begins the names of everything that it has in the engine: project-stack.
	Stack string
	// Network is the one that it meets others on.
	Network engine.Network
}

// Release is what is deployed.
type Release struct {
	// Name and Image are the release's, and Images those of its services that have one of
	// their own, by the services' names.
	Name, Image string
	Images      map[string]string
	// Pinned is true for one that has run before.
	Pinned bool
	// Migrated is true where its replicas run with the same data already.
	Migrated bool
	// Earlier are the images of the releases that can be returned to.
	Earlier []string
}

// Offered is what parts offer to each other.
type Offered struct {
	Pages       []Page
	Routes      []Route
	Scrapes     []prometheus.Job
	Alerts      []prometheus.Group
	Dashboards  map[string]string
	Application []Variable
	// Before are the parts that have something for the application, and so come first, and
	// Jobs what they have to have done by then.
	Before, Jobs []string
	// Routed are the parts that users' requests go to by routes.
	Routed []string
	// Volumes are those that a backup has to have.
	Volumes []Volume
}

// Spec describes a part.
type Spec struct {
	// Component is the component resource in Pulumi's state that the part's services, jobs
	// and volumes are children of; parts may share one. Empty: the platform itself.
	Component string
	// Needs are the parts that have to run before this one.
	Needs []string
	// With is a part that this one goes out with: its services start when those of that part
	// are found good, and before users get them where the runtime can tell that.
	With string
	// Follows is true for what comes when users have the release: what is wrong with it
	// holds no release up, and is told when all else is done.
	Follows bool

	// Services run for ever.
	Services []Service
	// Jobs run once for what they are made of.
	Jobs []Job
	// Volumes hold what has to survive a container.
	Volumes []Volume
	// Secrets are generated, or given by the configuration.
	Secrets []Secret
	// Images are built, or ready ones.
	Images []Image

	// Pages are the operator's own, that nginx sends here, and Routes what it sends here of
	// users' requests.
	Pages  []Page
	Routes []Route
	// Scrapes are where Prometheus finds metrics, Alerts the rules about them, and
	// Dashboards show them in Grafana: JSON by the name of its file.
	Scrapes    []prometheus.Job
	Alerts     []prometheus.Group
	Dashboards map[string]string
	// Application is what the application's environment gets.
	Application []Variable

	// Outputs are the stack's outputs, by their names.
	Outputs map[string]Output
	// Warnings are what whoever runs the update has to read.
	Warnings []string
}

// Service is a program that keeps running.
type Service struct {
	workload.Program
	// Image is the name of an image.
	Image string
	// Files and Secrets are mounted read-only.
	Files   []File
	Secrets []SecretFile
	Mounts  []Mount
	// Networks are the names of those that it is on: Inner, Edge, Watch.
	Networks []string
	// After are jobs that have to have ended well before it starts. Those of the same part
	// needn't be named. Of a job, they have to be declared before it, and to have ended before
	// its container is made.
	After []string
	// Upstream is true where users' requests come by the edge: a changed one is verified
	// before. Answers is what it has to answer then; nil: what the site has to.
	Upstream bool
	Answers  *Answer
	// Job is what Prometheus calls its metrics; empty: it has none.
	Job string
	// Explain adds to an error what helps. nil: nothing.
	Explain func(error) error
}

// Explained is an error with what helps.
func (s Service) Explained(err error) error {
	if s.Explain == nil {
		return err
	}
	return s.Explain(err)
}

// The networks. Without isolation all of them are one.
const (
	Inner = "backend"    // the backend's, without a way out
	Edge  = "edge"       // nginx's, with a way out
	Watch = "monitoring" // of what watches, without a way out
	Sites = "sites"      // where nginx meets those of other stacks: the edge's, which has its own
)

// When is the moment of a job.
type When int

// The moments of jobs.
const (
	Before  When = iota // what it belongs to starts when it has ended well
	Beside              // it waits for nothing, and nothing for it but the deploy's end
	Follows             // users have the release
	Drained             // nobody asks the earlier replicas for anything any more
)

// Job is a program that runs to its end, once for what it is made of.
type Job struct {
	Service
	When When
	// Within is how long it may take; after that it is stopped.
	Within time.Duration
	// Again are jobs and services: where one of them is made anew, this job runs again, for
	// what it has done may be gone with it. They have to be declared before it.
	Again []string
	// Warns begins those lines of its log that whoever runs the update has to read; empty:
	// there are none.
	Warns string
}

// Volume is a volume.
type Volume struct {
	// Name is what mounts call it.
	Name string
	// Resource is what Pulumi's state calls it, and Engine the engine.
	Resource, Engine string
	// Data is what no update may remove: it outlives the part, and the stack where the
	// configuration says so.
	Data bool
	// Copies is true for one without Data that holds copies of what is in others that have some.
	Copies bool
	// Output is what the stack's output `volumes` calls it; empty: it is not there.
	Output string
	// Backup is true where a backup has to have what is in it, and Owner whose its files are,
	// "uid:gid"; empty: the backend's user's.
	Backup bool
	Owner  string
	// Unused is what the configuration says where it does not ask for the volume. Data
	// that are there stay all the same.
	Unused string
}

// Secret is a value that is in no place where it could be read.
type Secret struct {
	// Name is the key of the configuration by which a user gives an own value.
	Name string
	// Given is that value. Empty: it is generated, where there is a Length.
	Given string
	// Length is how many letters and digits are generated, or Bytes how many bytes, as
	// hexadecimal digits.
	Length, Bytes int
	// Version is the generation: another number is another value. Rotates is the key below
	// tarot:secretVersions that it is the value of, and that `make rotate` counts up; secrets with
	// one key are rotated together. Stays says of one without such a key why, and what there is instead.
	Version int
	Rotates string
	Stays   string
	// Component and Resource are where Pulumi's state has what is generated. Empty: among
	// the credentials, by the secret's name.
	Component, Resource string
}

// SecretFile is a secret in a container.
type SecretFile struct {
	// Name is the file's, below workload.SecretDir.
	Name string
	// Variable holds the file's path, and Export the value itself; empty: no variable does.
	Variable, Export string
	// Secret is the name of the secret that it holds.
	Secret string
	// Make makes the content of the secret. nil: it is the secret.
	Make func(secret string) (string, error)
}

// File is a configuration file that may be read by anybody.
type File struct {
	// Name is the file's, below workload.ConfigDir.
	Name string
	Text Text
}

// Mount is one mounted folder.
type Mount struct {
	Kind workload.MountKind
	// Source is the name of a volume, or the path of a host's folder.
	Source   string
	Target   string
	ReadOnly bool
}

// Image is an image.
type Image struct {
	// Name is what services call it.
	Name string
	// Reference names the exact image.
	Reference string
	// Build is what it is built from; nil: it is ready.
	Build *buildcontext.Build
	// Key is the key of the configuration that names it, or what the platform builds its own of;
	// empty: none does.
	Key string
	// SetUp is what set-up gets for it, before there is a stack: the image itself, or what
	// it is built from in its turn. Empty: nothing, it is the user's own.
	SetUp string
	// Component is as in Spec.
	Component string
	// Inspect says what is wrong with what the image says of itself: its start, its health
	// check and its variables. nil: it isn't looked at.
	Inspect func(words []string) (warning string)
}

// Page is a page of the operator's own: nginx sends all below a path to a service, Host.
type Page struct {
	Path, Host string
	Port       int
}

// Route is a way of users' requests to a service.
type Route struct {
	// Name is its own.
	Name string
	// Host is what is asked for; empty: any. Path is / or begins with it and does not end in
	// one: all that is below it.
	Host, Path string
	// Service answers, at its port; without the path where Strip is true.
	Service string
	Port    int
	Strip   bool
	// Timeout is between two reads or writes, and MaxBody the largest body, in bytes.
	Timeout time.Duration
	MaxBody int64
	// Rate is requests a second and client, and Burst how many above it at once; 0: they
	// count with all others.
	Rate, Burst int
	// Allow are the networks that may ask; empty: all.
	Allow []string
	// Probe is a path of it that answers a GET with 200; empty: none is known.
	Probe string
}

// Answer is what a service answers with 200: a GET of the path, at its port, by the host's
// name; empty: the site's.
type Answer struct {
	Port       int
	Path, Host string
}

// Variable is one of the application's environment.
type Variable struct {
	Name string
	// Value is plain.
	Value string
	// Secret is the name of a secret in place of a value. The variable NAME_FILE holds the
	// path of its file then, and NAME the value where Export is true. Make is as in SecretFile.
	Secret string
	Export bool
	// Path is true where NAME itself holds the path, as a program wants it.
	Path bool
	Make func(secret string) (string, error)
	// Direct is in place of Make for a job that goes past what is between the application and whom it
	// asks: a migration, which needs a session of its own. nil: there is nothing between.
	Direct func(secret string) (string, error)
}

// Output is a value that the stack shows.
type Output struct {
	Text string
	// Secret is the name of a secret in place of a text.
	Secret string
}

// Private is true for a volume with what somebody has stored, or copies of it.
func (v Volume) Private() bool { return v.Data || v.Copies }

// Volume is a part's volume by its name; the zero one where there is none.
func (s Spec) Volume(name string) Volume {
	index := slices.IndexFunc(s.Volumes, func(v Volume) bool { return v.Name == name })
	if index < 0 {
		return Volume{}
	}
	return s.Volumes[index]
}
