// Package newstack makes a stack file of another one, with values that collide with those of no
// other stack: names of volumes, subnets and host ports.
package newstack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"tarot-platform/internal/config"
	"tarot-platform/internal/stackfile"
)

// Args say what is wanted.
type Args struct {
	// Project and Stack begin the names of what the stack has: project-stack.
	Project, Stack string
	// Edge is the stack that is to be its edge, and Hosts are the names that users ask for.
	// Empty: what the other file says of an edge, and none.
	Edge  string
	Hosts []string
	// ShareData is true where the new one may have the other one's data: Shared.
	ShareData bool
	// Temporary is true for one that is there for a time, and goes with all that it has stored.
	Temporary bool
}

// Change is a value that is another one than in the file that the new one was made of.
type Change struct{ Key, Before, After string }

// stackName is what all names that are made of it can be.
var stackName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)

// Make makes a file of another one, which has been decoded, too. Secrets are left out: they
// belong to the other stack, and its passphrase.
func Make(text []byte, from config.Config, args Args, taken *Taken) (file []byte, changes []Change, secrets []string, err error) {
	if !stackName.MatchString(args.Stack) {
		return nil, nil, nil, fmt.Errorf("stack %q is not allowed; allowed: a name of at most 20 lower case letters, digits and -, that begins with a letter", args.Stack)
	}
	if shared := Shared(from); len(shared) > 0 && !args.ShareData {
		var lines []string
		for _, v := range shared {
			lines = append(lines, fmt.Sprintf("%s:%s is %s", config.Namespace, v.Key, v.Text))
		}
		return nil, nil, nil, fmt.Errorf("stack %q would have the data of the stack that it is made of: %s; allowed: another value there, in a file of its own that --from names, or --share-data", args.Stack, strings.Join(lines, "; "))
	}
	open, secrets, err := stackfile.Forget(text)
	if err != nil {
		return nil, nil, nil, err
	}
	m := &maker{from: from, args: args, taken: taken}
	if err := yaml.Unmarshal(open, &m.document); err != nil {
		return nil, nil, nil, err
	}
	m.own()
	if err := m.subnets(); err != nil {
		return nil, nil, nil, err
	}
	if err := m.ports(); err != nil {
		return nil, nil, nil, err
	}
	m.volumes()
	if err := m.behind(); err != nil {
		return nil, nil, nil, err
	}
	if args.Temporary {
		m.brief()
	}
	if m.fault != nil {
		return nil, nil, nil, m.fault
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&m.document); err != nil {
		return nil, nil, nil, err
	}
	return out.Bytes(), m.changes, secrets, nil
}

type maker struct {
	document yaml.Node
	from     config.Config
	args     Args
	taken    *Taken
	changes  []Change
	fault    error
}

// own empties what is one stack's alone.
func (m *maker) own() {
	m.set("releases.pin", m.from.Releases.Pin, "")
	if m.from.Maintenance {
		m.set("maintenance", "true", "false")
	}
	if len(m.from.Sites) > 0 {
		m.setNode("sites", "those of the other stack", "none", &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle})
	}
	m.set("networks.sitesSubnet", m.from.Networks.SitesSubnet, "")
}

// brief makes the stack one that is there for a time: small, and gone with what it has stored.
func (m *maker) brief() {
	for _, v := range []struct {
		key string
		was bool
	}{{"volumes.retain", m.from.Volumes.Retain}, {"backup.enabled", m.from.Backup.Enabled}, {"monitoring.enabled", m.from.Monitoring.Enabled}} {
		if v.was {
			m.setNode(v.key, "true", "false", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"})
		}
	}
	if m.from.Backend.Replicas > 1 {
		m.setNode("backend.replicas", strconv.Itoa(m.from.Backend.Replicas), "1", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "1"})
	}
}

// Subnets are the keys of the networks' addresses that every stack has, with their values.
func Subnets(cfg config.Config) []Value {
	n := cfg.Networks
	return []Value{{"networks.edgeSubnet", n.EdgeSubnet}, {"networks.backendSubnet", n.BackendSubnet}, {"networks.monitoringSubnet", n.MonitoringSubnet}, {"networks.ipv6Subnet", n.IPv6Subnet}}
}

// Ports are the keys of the ports on the host, with their values; 0: none.
func Ports(cfg config.Config) []Value {
	port := func(key string, number int) Value { return Value{key, strconv.Itoa(number)} }
	return []Value{port("nginx.httpPort", cfg.Nginx.HTTPPort), port("nginx.httpsPort", cfg.Nginx.HTTPSPort),
		port("backend.publishPort", cfg.Backend.PublishPort), port("backend.debuggerPort", cfg.Backend.DebuggerPort),
		port("monitoring.grafana.port", cfg.Monitoring.Grafana.Port), port("monitoring.prometheus.port", cfg.Monitoring.Prometheus.Port)}
}

// Value is what a key says.
type Value struct{ Key, Text string }

func (m *maker) subnets() error {
	for _, v := range Subnets(m.from) {
		before, err := netip.ParsePrefix(v.Text)
		if err != nil {
			return fmt.Errorf("%s:%s: %w", config.Namespace, v.Key, err)
		}
		free, err := m.taken.freeSubnet(before)
		if err != nil {
			return fmt.Errorf("%s:%s: %w", config.Namespace, v.Key, err)
		}
		m.set(v.Key, v.Text, free.String())
	}
	return nil
}

func (m *maker) ports() error {
	for _, v := range Ports(m.from) {
		before, _ := strconv.Atoi(v.Text)
		if before == 0 {
			continue
		}
		free, err := m.taken.freePort(before)
		if err != nil {
			return fmt.Errorf("%s:%s: %w", config.Namespace, v.Key, err)
		}
		m.setNode(v.Key, v.Text, strconv.Itoa(free), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(free)})
	}
	return nil
}

// volumes are named after the stack.
func (m *maker) volumes() {
	name := func(of string) string { return m.taken.freeVolume(m.args.Project + "_" + m.args.Stack + "_" + of) }
	v := m.from.Volumes
	for _, volume := range []struct{ of, before string }{{"data", v.Data}, {"uploads", v.Uploads}, {"static", v.Static}, {"logs", v.Logs}} {
		if volume.before != "" {
			m.set("volumes."+volume.of, volume.before, name(volume.of))
		}
	}
	for _, further := range m.from.Backend.FurtherVolumes() {
		if further.Engine != "" {
			m.set("backend.volumes."+further.Name, further.Engine+":"+further.Path, name(further.Name)+":"+further.Path)
		}
	}
}

// behind gives the stack its names, and its edge.
func (m *maker) behind() error {
	edge := m.args.Edge
	if edge == "" {
		edge = m.from.Nginx.Edge
	}
	if edge != "" && len(m.args.Hosts) == 0 {
		return fmt.Errorf("a stack behind the edge %s has to have a name that users ask for: HOST=shop.example.com, or --host", edge)
	}
	m.set("nginx.edge", m.from.Nginx.Edge, edge)
	switch {
	case edge != "":
		m.set("nginx.tls.mode", m.from.Nginx.TLS.Mode, "off")
	case m.from.ACME() && len(m.args.Hosts) == 0: // no CA gives a certificate for no name
		m.set("nginx.tls.mode", m.from.Nginx.TLS.Mode, "selfSigned")
	}
	if domains := m.from.Nginx.TLS.ACME.Domains; len(domains) > 0 { // which lead to the other one
		m.setNode("nginx.tls.acme.domains", strings.Join(domains, ", "), "", &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle})
	}
	if !slices.Equal(m.args.Hosts, m.from.Nginx.ServerNames) {
		hosts := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, host := range m.args.Hosts {
			hosts.Content = append(hosts.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: host})
		}
		m.setNode("nginx.serverNames", strings.Join(m.from.Nginx.ServerNames, ", "), strings.Join(m.args.Hosts, ", "), hosts)
	}
	return nil
}

// set is setNode for a text.
func (m *maker) set(key, before, after string) {
	if before == after {
		return
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: after}
	if after == "" || after == "false" || after == "off" { // which some read as something else than a text
		node.Style = yaml.DoubleQuotedStyle
	}
	m.setNode(key, before, after, node)
}

// setNode gives a key its value, and makes the objects on the way to it.
func (m *maker) setNode(key, before, after string, node *yaml.Node) {
	m.changes = append(m.changes, Change{config.Namespace + ":" + key, before, after})
	steps := strings.Split(key, ".")
	at := member(m.document.Content[0], "config")
	for i, step := range steps {
		if i == 0 {
			step = config.Namespace + ":" + step
		}
		next := member(at, step)
		if i == len(steps)-1 {
			node.LineComment, node.FootComment = next.LineComment, next.FootComment
			*next = *node
			return
		}
		if next.Kind == yaml.ScalarNode && next.Value != "" {
			if err := opened(next); err != nil {
				m.fault = fmt.Errorf("%s: %w", step, err)
				return
			}
		}
		if next.Kind != yaml.MappingNode {
			*next = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		if len(next.Content) == 0 {
			next.Style = 0
		}
		at = next
	}
}

// opened makes an object of one that is written as JSON in a text, which Pulumi takes, too.
func opened(node *yaml.Node) error {
	if !json.Valid([]byte(node.Value)) {
		return fmt.Errorf("%q is no object", node.Value)
	}
	var inner yaml.Node
	if err := yaml.Unmarshal([]byte(node.Value), &inner); err != nil {
		return err
	}
	*node = *inner.Content[0]
	return nil
}

// member is a mapping's value, made where there is none.
func member(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	value := &yaml.Node{Kind: yaml.ScalarNode}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
	return value
}
