package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarot-platform/components/nginx"
	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
)

// why users get no answer.
var whyNoAnswer = []string{"containers", "restarts", "health", "health-runs", "out-of-memory", "tasks", "state", "image", "port", "networks", "names", "connection", "data-writable", "database-file", "volumes", "disk", "inodes"}

// edgeChecks are of nginx, and of what users get.
var edgeChecks = []check{
	{id: "nginx-configuration", checked: "nginx runs the configuration that was deployed", after: []string{"containers", "restarts", "tasks", "state", "out-of-memory", "health-runs"}, do: current},
	{id: "nginx-upstreams", checked: "nginx sends users to replicas that are there", after: []string{"containers", "restarts", "tasks", "state", "networks", "out-of-memory", "nginx-configuration"}, do: upstreams},
	{id: "certificate", checked: "the certificate is good, for each name", after: []string{"containers", "tasks", "clock"}, do: shownCertificate},
	{id: "site", checked: "users get an answer", after: append(slices.Clone(whyNoAnswer), "nginx-configuration", "nginx-upstreams"), do: site},
	{id: "static", checked: "users get the static files", after: append(slices.Clone(whyNoAnswer), "site"), do: static},
}

// edges are the containers of nginx that run.
func (p *patient) edges(ctx context.Context) (running []body, err error) {
	all, err := p.living(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.Of == nginx.Name && b.running() {
			running = append(running, b)
		}
	}
	return running, nil
}

var errNoNginx = errors.New("no nginx of the stack runs here that could be asked")

// asksNginx is what is known of nginx from inside, or what to say without.
func (p *patient) asksNginx(ctx context.Context) (b body, in inside, f finding) {
	if p.ConfigError == nil && !p.Config.Nginx.Enabled {
		return b, in, skip("the stack has no nginx")
	}
	running, err := p.edges(ctx)
	insides, err2 := p.insides.get(ctx)
	if err := together(err, err2); err != nil {
		return b, in, unknown(err)
	}
	if len(running) == 0 {
		return b, in, unknown(errNoNginx)
	}
	b = running[0]
	if in = insides[b.ID]; in.err != nil {
		return b, in, unknown(in.err)
	}
	return b, in, finding{}
}

// word is the first of the first answer to a kind of question.
func (i inside) word(kind string) string {
	if all := i.of(kind); len(all) > 0 && len(all[0]) > 0 {
		return all[0][0]
	}
	return ""
}

func current(ctx context.Context, p *patient) finding {
	b, in, f := p.asksNginx(ctx)
	if f.result != "" {
		return f
	}
	written, serves := in.word("configuration"), strings.Fields(in.word("serves"))
	f = finding{result: checks.Fail, mend: "docker kill -s HUP " + b.Workload.Name}
	switch {
	case written == "":
		f.found, f.cause, f.mend = "there is no configuration in "+edge.Folder, "the job that writes it did not run, or its volume was emptied", "pulumi up --refresh --yes -s {stack}"
	case len(serves) == 0:
		f.found, f.cause, f.mend = b.Workload.Name+" runs, and does not answer in its own container"+p.words(ctx, b.ID), "it hangs, or still starts", "docker restart "+b.Workload.Name
	case serves[0] != written:
		f.found, f.cause = fmt.Sprintf("it runs %s, and %s was deployed", serves[0], written), "an `up` was killed between both, or nginx refuses the new one: make logs SERVICE=nginx"
	default:
		out := p.outputs(ctx)
		for _, name := range out.Services[config.BackendName].Names {
			if out.Runtime == "containers" && !slices.Contains(serves[1:], name) {
				f.found, f.cause, f.mend = fmt.Sprintf("it sends nobody to %s, which was deployed, but to %s", name, strings.Join(serves[1:], ", ")), "an `up` was killed before its switch", "pulumi up --yes -s {stack}"
				return f
			}
		}
		return pass("%s", written)
	}
	return f
}

func upstreams(ctx context.Context, p *patient) finding {
	_, in, f := p.asksNginx(ctx)
	if f.result != "" {
		return f
	}
	known := map[string]string{}
	for _, line := range in.of("name") {
		known[line[0]] = "no-tool"
		if len(line) == 2 {
			known[line[0]] = line[1]
		}
	}
	var gone, there []string
	for _, line := range in.of("upstream") {
		if host := line[0]; known[host] == "" {
			gone = append(gone, host)
		} else {
			there = append(there, host)
		}
	}
	switch {
	case len(gone) > 0:
		return finding{result: checks.Fail, found: "nobody on its network is called " + strings.Join(gone, ", "), cause: "the replica was replaced, or renamed, behind Pulumi's back: each request waits for it before it goes to another one", mend: "pulumi up --refresh --yes -s {stack}"}
	case len(there) == 0:
		return unknown(errors.New("its configuration names none"))
	}
	return pass("%s", strings.Join(there, ", "))
}

// front is where users come: the scheme, the name that they ask for, and what is dialed.
type front struct{ scheme, name, at string }

// front goes by what is published, and not by what was told of it last.
func (p *patient) front(ctx context.Context) (front, error) {
	bodies, err := p.living(ctx)
	if err != nil {
		return front{}, err
	}
	name := ""
	if u, err := url.Parse(p.outputs(ctx).URL); err == nil {
		name = u.Hostname()
	}
	want := [][2]string{{nginx.Name, fmt.Sprintf("%d/tcp", edge.HTTPSPort)}, {nginx.Name, "8080/tcp"}, {config.BackendName, fmt.Sprintf("%d/tcp", p.Config.Backend.Port)}}
	for i, w := range want {
		for _, b := range bodies {
			if b.Of != w[0] || b.NetworkSettings == nil {
				continue
			}
			for port, all := range b.NetworkSettings.Ports {
				if string(port) != w[1] || len(all) == 0 {
					continue
				}
				host := p.About.Host
				if ip := net.ParseIP(all[0].HostIP); ip != nil && !ip.IsUnspecified() && (!ip.IsLoopback() || p.About.Local) {
					host = all[0].HostIP
				}
				return front{map[bool]string{true: "https", false: "http"}[i == 0], cmp.Or(name, host), net.JoinHostPort(host, all[0].HostPort)}, nil
			}
		}
	}
	return front{}, nil
}

// get asks for a path as a user does, whatever the certificate is: that is another check.
func (p *patient) get(ctx context.Context, f front, path string) (*http.Response, error) {
	dial := edge.Dialer(p.Config.Nginx.ProxyProtocol && p.Config.Nginx.Enabled)
	if p.Dial != nil {
		dial = p.Dial
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: f.name}, //nolint:gosec // nothing is sent that is secret
			DialContext:     func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, f.at) }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	_, port, _ := net.SplitHostPort(f.at)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.scheme+"://"+net.JoinHostPort(f.name, port)+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err == nil {
		_ = answer.Body.Close()
	}
	return answer, err
}

// closed is true while users see the maintenance page.
func (p *patient) closed(ctx context.Context) bool {
	_, in, f := p.asksNginx(ctx)
	if f.result == "" {
		for _, line := range in.of("serves") {
			if len(line) > 1 && line[1] == "closed" {
				return true
			}
		}
	}
	return p.Config.Maintenance
}

func site(ctx context.Context, p *patient) finding {
	at, err := p.front(ctx)
	switch {
	case err != nil:
		return unknown(err)
	case at == front{} && p.ConfigError == nil && p.Config.BehindEdge():
		return skip("users come by the nginx of %s: ask the doctor of that stack, too", p.Config.Nginx.Edge)
	case at == front{}:
		return unknown(errors.New("nothing of the stack that runs has a port that users come by"))
	case p.closed(ctx):
		return skip("users see the maintenance page: stack maintenance off")
	}
	path := "/health"
	if p.ConfigError == nil {
		path = p.Config.Backend.HealthPath()
	}
	if u, err := url.Parse(p.outputs(ctx).HealthURL); err == nil && u.Path != "" {
		path = u.Path
	}
	begun := time.Now()
	answer, err := p.get(ctx, at, path)
	f := finding{result: checks.Fail, mend: "make logs STACK=" + p.Name + " LEVEL=error FOLLOW=no"}
	switch {
	case err != nil:
		f.found, f.cause = err.Error(), "nothing listens there, or a firewall is in between"
	case answer.StatusCode == http.StatusOK:
		return pass("%s%s at %s answers 200 in %d ms", at.name, path, at.at, time.Since(begun).Milliseconds())
	case answer.StatusCode >= http.StatusInternalServerError && p.Config.Nginx.Enabled:
		f.found, f.cause = fmt.Sprintf("%s answers %s", path, answer.Status), "nginx gets no answer from the application, or one that says so; docs/runbooks/EdgeDown.md"
	default:
		f.found, f.cause = fmt.Sprintf("%s answers %s", path, answer.Status), "who answers is another program, or has no such page: tarot:backend.health.path"
	}
	return f
}

func static(ctx context.Context, p *patient) finding {
	_, in, f := p.asksNginx(ctx)
	if f.result != "" {
		return f
	}
	if len(in.of("static")) == 0 {
		return skip("nginx has none of its own: they are the application's")
	}
	at, err := p.front(ctx)
	if err != nil {
		return unknown(err)
	}
	if at == (front{}) || p.closed(ctx) {
		return skip("users do not come here, or see the maintenance page")
	}
	file := in.word("static")
	f = finding{result: checks.Fail, mend: "pulumi up --refresh --yes -s {stack}"}
	if line := in.of("static")[0]; file == "" && len(line) > 1 && line[1] != "" {
		f.found, f.cause, f.mend = "nginx may not read what is in "+staticFolder, "its files have lost their rights", "chmod -R a+rX "+volumeSource(ctx, p)
		return f
	}
	if file == "" {
		f.found, f.cause = "there is no file in nginx's "+staticFolder, "the volume was emptied, or the job publish-static did not run"
		return f
	}
	prefix := p.Config.Backend.Paths.Static
	if u, err := url.Parse(p.outputs(ctx).StaticURL); err == nil && u.Path != "" {
		prefix = u.Path
	}
	path := strings.TrimSuffix(prefix, "/") + "/" + file
	answer, err := p.get(ctx, at, path)
	switch {
	case err != nil:
		f.found, f.cause = err.Error(), "nothing listens there, or a firewall is in between"
	case answer.StatusCode == http.StatusForbidden:
		f.found, f.cause = path+" answers "+answer.Status, "nginx's user may not read it"
		f.mend = "chmod -R a+rX " + volumeSource(ctx, p)
	case answer.StatusCode != http.StatusOK:
		f.found, f.cause = path+" answers "+answer.Status, "nginx does not find what is in its own volume"
	default:
		return pass("%s answers 200", path)
	}
	return f
}

// volumeSource is the folder of the host with the static files.
func volumeSource(ctx context.Context, p *patient) string {
	running, _ := p.edges(ctx)
	for _, b := range running {
		for _, m := range b.Mounts {
			if m.Destination == staticFolder {
				return m.Source
			}
		}
	}
	return staticFolder
}

// soon is when a certificate has to be followed by another one: with a quarter of its time, or two weeks, left.
const soon = 14 * 24 * time.Hour

func shownCertificate(ctx context.Context, p *patient) finding {
	if p.ConfigError == nil && (!p.Config.Nginx.Enabled || p.Config.Nginx.TLS.Mode == "off" || p.Config.BehindEdge()) {
		return skip("users come without TLS, or by another stack's nginx")
	}
	at, err := p.front(ctx)
	if err != nil {
		return unknown(err)
	}
	if at.scheme != "https" {
		return skip("nothing of the stack that runs has a port for HTTPS")
	}
	names := []string{at.name}
	if p.ConfigError == nil && len(p.Config.Nginx.ServerNames) > 0 {
		names = nil
		for _, name := range p.Config.Nginx.ServerNames {
			names = append(names, strings.Replace(name, "*.", "www.", 1))
		}
	}
	shown, err := p.certificates(ctx, at, names[0])
	if err != nil {
		return skip("nobody shows one, which is told by site: %v", err)
	}
	leaf, now := shown[0], time.Now()
	var faults []string
	f := finding{result: checks.Fail, mend: map[string]string{"selfSigned": "pulumi up --yes -s {stack}", "acme": "make logs STACK=" + p.Name + " SERVICE=acme SINCE=24h FOLLOW=no"}[p.Config.Nginx.TLS.Mode],
		cause: "docs/tls.md, and docs/runbooks/CertificateExpiresSoon.md"}
	f.mend = cmp.Or(f.mend, "pulumi config set --path tarot:nginx.tls.certificate -s {stack} <certificate.pem && pulumi up --yes -s {stack}")
	if now.After(leaf.NotAfter) {
		faults = append(faults, "it has ended on "+leaf.NotAfter.UTC().Format(time.RFC3339))
	} else if now.Before(leaf.NotBefore) {
		faults = append(faults, "it is good from "+leaf.NotBefore.UTC().Format(time.RFC3339)+" on: is the clock right?")
	}
	for _, name := range names {
		if err := leaf.VerifyHostname(name); err != nil {
			faults = append(faults, err.Error())
		}
	}
	if mode := p.Config.Nginx.TLS.Mode; p.ConfigError == nil && mode == "acme" && p.Config.Nginx.TLS.ACME.Trusted() {
		if err := edge.Vouched(shown, x509.VerifyOptions{CurrentTime: now}); err != nil && len(faults) == 0 {
			faults = append(faults, err.Error())
		}
	}
	if len(faults) > 0 {
		f.found = strings.Join(faults, "; ")
		return f
	}
	left := leaf.NotAfter.Sub(now)
	if left < min(soon, leaf.NotAfter.Sub(leaf.NotBefore)/4) {
		f.result, f.found = checks.Warn, "it ends on "+leaf.NotAfter.UTC().Format(time.RFC3339)+", in "+strconv.Itoa(int(left.Hours()))+" hours"
		return f
	}
	return pass("until %s, by %s", leaf.NotAfter.UTC().Format(time.DateOnly), leaf.Issuer)
}

// certificates are those that are shown to who asks for a name.
func (p *patient) certificates(ctx context.Context, at front, name string) ([]*x509.Certificate, error) {
	dial := edge.Dialer(p.Config.Nginx.ProxyProtocol)
	if p.Dial != nil {
		dial = p.Dial
	}
	plain, err := dial(ctx, "tcp", at.at)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, &tls.Config{InsecureSkipVerify: true, ServerName: name}) //nolint:gosec // it is looked at by who asked for it
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates, nil
}
