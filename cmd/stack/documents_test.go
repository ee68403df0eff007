package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"tarot-platform/internal/documents"
	"tarot-platform/internal/environment"
)

// Whatever the documents tell people to type is there: each target of make, command and flag of stack,
// key of a stack file, script and folder.
func TestWhatTheDocumentsSayToTypeIsThere(t *testing.T) {
	t.Chdir("../..")
	c := newManual(t)
	read, err := documents.All(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range read {
		for _, b := range d.Blocks {
			for _, name := range regexp.MustCompile(`(?m)^\s*(\w+)\(\) `).FindAllStringSubmatch(b.Text, -1) {
				c.functions[name[1]] = true
			}
		}
	}
	for _, d := range read {
		c.document(d)
	}
	for _, fault := range c.faults {
		t.Error(fault)
	}
	if c.commands < 500 || c.keys < 200 {
		t.Errorf("%d commands and %d keys were looked at, and there should be more", c.commands, c.keys)
	}
}

// What is not there is found, each by its own words.
func TestWhatIsNotThereIsFound(t *testing.T) {
	t.Chdir("../..")
	c := newManual(t)
	for text, want := range map[string]string{
		"```sh\nmake nothing\n```":                                     "No rule to make target",
		"```sh\nmake restore WHEN=now\n```":                            "the Makefile knows no WHEN",
		"```sh\nmake volume-copy FROM=a\n```":                          "wants FROM=... TO=...",
		"```sh\nstack nothing\n```":                                    `unknown command "nothing"`,
		"```sh\nstack rollback -s prod r1 r2\n```":                     "usage: stack rollback",
		"```sh\nstack scale backend 4 --now\n```":                      "unknown flag: --now",
		"```sh\nstack database\n```":                                   "is no command of its own",
		"```sh\ngo run ./cmd/nothing\n```":                             "there is no ./cmd/nothing",
		"```sh\nif true; then\n```":                                    "must be followed by",
		"```sh\nsetup/nothing.sh\n```":                                 "is no program",
		"```sh\nkubectl get pods\n```":                                 `who is "kubectl"`,
		"```sh\npulumi config set --path tarot:backend.replica 3\n```": "a stack file has no tarot:backend.replica",
		"```sh\npulumi config set tarot:backend.replicas 3\n```":       "without --path",
		"```sh\npulumi config set tarot:adminPassword x\n```":          "a secret is set by --secret",
		"```sh\npulumi config set tarot:runtime swarm --secret\n```":   "a secret is set by --secret",
		"```sh\npulumi up --stak prod\n```":                            "unknown flag: --stak",
		"```sh\npulumi upp\n```":                                       "nobody has looked",
		"```sh\nexport TAROT_NOTHING=1\n```":                           "nobody reads TAROT_NOTHING",
		"```yaml\ntarot:nginx: {tls: {mod: off}}\n```":                 "a stack file has no tarot:nginx.tls.mod",
		"```yaml\ntarot:nothing: {}\n```":                              "a stack file has no tarot:nothing",
		"```bash\nmake dev\n```":                                       `what is "bash"`,
		"text\n\n    make dev\n":                                       "a block without ```",
		"a `make nothing` in a text":                                   "there is no make nothing",
		"a `tarot:backend.nothing` in a text":                          "a stack file has no tarot:backend.nothing",
		"a `docs/nothing.md` in a text":                                "there is no docs/nothing.md",
	} {
		c.faults = nil
		d, err := documents.Parse("x.md", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c.document(d)
		if len(c.faults) != 1 || !strings.Contains(c.faults[0], want) {
			t.Errorf("%s\n%q, want %q", text, c.faults, want)
		}
	}
	c.faults = nil
	d, _ := documents.Parse("x.md", []byte("```sh\nmake restore AT=latest\nstack scale backend 4 -s prod\npulumi config set --path tarot:backend.replicas 3 -s prod\n```\nand `make up`, `tarot:nginx.tls.mode: acme`"))
	if c.document(d); len(c.faults) > 0 {
		t.Errorf("what is there is not found: %q", c.faults)
	}
}

// manual reads documents, and finds what is not there.
type manual struct {
	t        *testing.T
	schema   map[string]any
	makefile string
	// variables are all names in capitals of what may read an environment.
	variables map[string]bool
	made      map[string][]documents.Command
	faults    []string
	commands  int
	keys      int
	where     string
	// mentioned is true for words in a text: a command may be named without all that it takes.
	mentioned bool
	// functions are the shell's, which documents define.
	functions map[string]bool
	// used are the commands, each with where it is.
	used map[string]string
}

func newManual(t *testing.T) *manual {
	t.Helper()
	c := &manual{t: t, variables: map[string]bool{}, made: map[string][]documents.Command{}, functions: map[string]bool{}, used: map[string]string{}}
	text, err := os.ReadFile("docs/stack.schema.json")
	if err == nil {
		err = json.Unmarshal(text, &c.schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	c.makefile = string(makefile)
	for _, pattern := range []string{"Makefile", "*.go", "setup/*.sh", "scripts/*.sh", "cmd/*/*.go", "internal/*/*.go", "test/*.sh", "test/*/*.go", "test/*/*.sh", "toolchain/*.sh"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if file == "cmd/stack/documents_test.go" {
				continue
			}
			for _, name := range regexp.MustCompile(`\b[A-Z][A-Z0-9_]+\b`).FindAllString(string(text), -1) {
				c.variables[name] = true
			}
		}
	}
	return c
}

func (c *manual) fault(format string, args ...any) {
	if fault := c.where + ": " + fmt.Sprintf(format, args...); !slices.Contains(c.faults, fault) {
		c.faults = append(c.faults, fault)
	}
}

func (c *manual) document(d documents.Document) {
	for _, b := range d.Blocks {
		c.where = fmt.Sprintf("%s:%d", d.Path, b.Line)
		switch {
		case !b.Fenced:
			c.fault("a block without ```, of which nobody knows whether it is commands")
		case b.Language == "sh":
			c.shell(b.Text)
		case b.Language == "yaml":
			c.yaml(b.Text)
		case !slices.Contains([]string{"", "ini", "json", "python", "dockerfile", "mermaid"}, b.Language):
			c.fault("what is %q? Commands are `sh`, a stack's file is `yaml`", b.Language)
		}
	}
	c.mentioned = true
	defer func() { c.mentioned = false }()
	for _, s := range d.Spans {
		c.where = fmt.Sprintf("%s:%d", d.Path, s.Line)
		c.span(s.Text)
	}
}

var (
	typed  = regexp.MustCompile(`^(make|stack|pulumi|go run|setup/[\w-]+\.sh|scripts/[\w-]+\.sh|test/[\w/-]+\.sh) [a-z./$-]`)
	placed = regexp.MustCompile(`^(setup|scripts|test|docs|internal|components|assets|cmd|app|toolchain|scanner)/[\w./*-]+$`)
	keyed  = regexp.MustCompile(`^tarot:[a-zA-Z][^ :]*`)
)

// span is a piece of code in the text.
func (c *manual) span(text string) {
	switch {
	case strings.ContainsAny(text, "…<>") || strings.Contains(text, "PROJECT"): // not to be typed as it is
	case text == environment.Tag: // no key: of the stack, in Pulumi's state
	case keyed.MatchString(text):
		c.key(strings.TrimSuffix(keyed.FindString(text), ".*"))
	case placed.MatchString(text):
		if found, _ := filepath.Glob(strings.TrimSuffix(text, "/")); len(found) == 0 {
			c.fault("there is no %s", text)
		}
	case typed.MatchString(text):
		c.shell(text)
	}
}

func (c *manual) shell(text string) {
	commands, err := documents.Commands(text)
	if err != nil {
		c.fault("%v", err)
	}
	for _, one := range commands {
		c.command(one)
	}
}

// othersPrograms are those that are not ours to check.
var othersPrograms = strings.Fields(`apt-get cat cd chattr chmod chown cp cryptsetup curl docker echo exec export git gocryptfs grep grype
 head iptables mkdir mkfs.ext4 mount mv openssl printf promtool psql rm sed sh source sudo sysctl systemctl test true unset v wget
 df dig free dmesg journalctl ls tail sort du date kill python sqlite3 for nginx tar truncate alembic ip ss timeout touch xargs`)

func (c *manual) command(one documents.Command) {
	for _, name := range one.Set {
		if strings.HasPrefix(name, "TAROT_") || len(one.Words) > 0 && one.Words[0] == "make" {
			c.variable(name)
		}
	}
	words := one.Words
	if len(words) > 2 && words[0] == "setup/timed.sh" {
		words = words[2:]
	}
	for len(words) > 0 && (words[0] == "sudo" || words[0] == "exec" || words[0] == "setup/with.sh" || words[0] == "") {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	c.commands++
	switch name := words[0]; {
	case name == "make":
		c.make(words[1:])
	case name == "stack" || name == "setup/stack-run.sh":
		c.stack(words[1:])
	case name == "setup/state.sh" && len(words) > 3 && words[1] == "exec":
		c.used["setup/state.sh"] = c.where
		c.command(documents.Command{Words: words[3:]})
	case name == "pulumi":
		c.pulumi(words[1:])
	case name == "go":
		c.goes(words[1:])
	case strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~/"): // outside of the project
	case strings.Contains(name, "/"):
		c.program(name)
	case !c.functions[name] && !slices.Contains(othersPrograms, name):
		c.fault("who is %q? What is somebody else's is in othersPrograms", name)
	}
}

// program is one of the project's own files.
func (c *manual) program(name string) {
	info, err := os.Stat(name)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		c.fault("%s is no program", name)
	}
	c.used[name] = c.where
}

func (c *manual) goes(words []string) {
	if len(words) < 2 || words[0] != "run" {
		return // go build, go generate: Go's own
	}
	if info, err := os.Stat(words[1]); err != nil || !info.IsDir() {
		c.fault("there is no %s", words[1])
	}
	if words[1] == "./cmd/stack" {
		c.stack(words[2:])
	}
}

func (c *manual) variable(name string) {
	if !c.variables[name] {
		c.fault("nobody reads %s", name)
	}
}

// --- make -------------------------------------------------------------------------

var variableSet = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)=`)

// make has make say what it would do, and looks at that, too.
func (c *manual) make(words []string) {
	if len(words) == 1 && words[0] == "help" {
		return
	}
	for _, w := range words {
		if found := variableSet.FindStringSubmatch(w); found != nil {
			if !regexp.MustCompile(`\b` + found[1] + `\b`).MatchString(c.makefile) {
				c.fault("make %s: the Makefile knows no %s", strings.Join(words, " "), found[1])
			}
		} else if !strings.HasPrefix(w, "-") {
			c.used["make "+w] = c.where
		}
	}
	if c.mentioned {
		c.target(words[0])
		return
	}
	line := strings.Join(words, "\x00")
	commands, known := c.made[line]
	if !known {
		cmd := exec.Command("make", append([]string{"--dry-run", "--no-print-directory"}, words...)...)
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "STACK") }), "MAKEFLAGS=")
		said, err := cmd.Output()
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				said = exit.Stderr
			}
			c.fault("make %s: %v: %s", strings.Join(words, " "), err, said)
		} else if commands, err = documents.Commands(string(said)); err != nil {
			c.fault("make %s: %v", strings.Join(words, " "), err)
		}
		c.made[line] = commands
	}
	for _, one := range commands {
		if len(one.Words) == 0 || one.Words[0] != "make" { // which has said it already
			c.command(one)
		}
	}
}

// target is one that is named in a text.
func (c *manual) target(name string) {
	if !regexp.MustCompile(`(?m)^([\w-]+ )*` + regexp.QuoteMeta(name) + `( [\w-]+)*:`).MatchString(c.makefile) {
		c.fault("there is no make %s", name)
	}
	for _, words := range stackCommands(c.recipe(name)) {
		if cmd, _, err := rootCommand().Find(words); err == nil {
			c.used[cmd.CommandPath()] = c.where
		}
	}
}

// recipe is what a target does.
func (c *manual) recipe(target string) string {
	found := regexp.MustCompile(`(?m)^(?:[\w-]+ )*` + regexp.QuoteMeta(target) + `(?: [\w-]+)*:.*\n((?:\t.*\n)+)`).FindStringSubmatch(c.makefile)
	if found == nil {
		return ""
	}
	return found[1]
}

// stackCommands are the words of each command of stack in a recipe, up to what make puts in.
func stackCommands(recipe string) (all [][]string) {
	for _, found := range regexp.MustCompile(`(?:go run \./cmd/stack|setup/stack-run\.sh) ([a-z][a-z -]*)`).FindAllStringSubmatch(recipe, -1) {
		all = append(all, strings.Fields(found[1]))
	}
	return all
}

// --- stack ------------------------------------------------------------------------

// standsForOthers is a word that stands for others.
var standsForOthers = regexp.MustCompile(`^[A-Z]+$`)

func (c *manual) stack(words []string) {
	if len(words) > 0 && standsForOthers.MatchString(words[0]) {
		return
	}
	root := rootCommand()
	root.InitDefaultCompletionCmd()
	what := "stack " + strings.Join(words, " ")
	cmd, rest, err := root.Find(words)
	if err != nil {
		c.fault("%s: %v", what, err)
		return
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) && !strings.Contains(err.Error(), `"$`) { // a variable of make's
		c.fault("%s: %v", what, err)
		return
	}
	if help, _ := cmd.Flags().GetBool("help"); help {
		return
	}
	if !cmd.Runnable() {
		c.fault("%s: %s is no command of its own", what, cmd.CommandPath())
		return
	}
	c.used[cmd.CommandPath()] = c.where
	if c.mentioned {
		return
	}
	args := cmd.Flags().Args()
	if u, does := usageOf(cmd.Use); does && cmd.Name() != "new" {
		flag, _ := cmd.Flags().GetString("stack")
		isStack := len(args) > 0 && (slices.Contains([]string{"dev", "prod", "shop"}, args[0]) || u.most < 0)
		if _, others := positional(args, u, flag, isStack && flag == ""); len(others) < u.least || u.most >= 0 && len(others) > u.most {
			c.fault("%s: usage: %s", what, cmd.UseLine())
		}
	} else if cmd.Args != nil {
		if err := cmd.Args(cmd, args); err != nil {
			c.fault("%s: %v", what, err)
		}
	}
}

// --- pulumi -----------------------------------------------------------------------

// pulumiKnows are the commands of Pulumi's that the documents name, with their flags: -s is what has a
// value, and the others have none.
var pulumiKnows = map[string]string{
	"up":              "refresh yes skip-preview expect-no-changes",
	"preview":         "diff",
	"destroy":         "refresh yes",
	"refresh":         "yes skip-preview clear-pending-creates",
	"cancel":          "yes",
	"login":           "local",
	"stack":           "",
	"stack init":      "",
	"stack select":    "",
	"stack rm":        "",
	"stack output":    "show-secrets json",
	"stack export":    "show-secrets file=",
	"stack import":    "file=",
	"config":          "",
	"config get":      "path",
	"config set":      "path secret plaintext",
	"config rm":       "path",
	"version":         "",
	"plugin install":  "",
	"package publish": "",
}

func (c *manual) pulumi(words []string) {
	name := ""
	if len(words) > 0 {
		name = words[0]
	}
	rest := words[min(1, len(words)):]
	if len(rest) > 0 {
		if _, two := pulumiKnows[name+" "+rest[0]]; two {
			name, rest = name+" "+rest[0], rest[1:]
		}
	}
	known, is := pulumiKnows[name]
	if !is {
		c.fault("pulumi %s: nobody has looked whether Pulumi has that (pulumiKnows)", name)
		return
	}
	c.used["pulumi "+name] = c.where
	flags := pflag.NewFlagSet("pulumi", pflag.ContinueOnError)
	flags.StringP("stack", "s", "", "")
	flags.StringP("cwd", "C", "", "")
	for _, flag := range strings.Fields(known) {
		if flag, valued := strings.CutSuffix(flag, "="); valued {
			flags.String(flag, "", "")
		} else {
			flags.Bool(flag, false, "")
		}
	}
	if err := flags.Parse(rest); err != nil {
		c.fault("pulumi %s: %v", strings.Join(words, " "), err)
		return
	}
	if c.mentioned || name != "config set" && name != "config rm" && name != "config get" {
		return
	}
	args := flags.Args()
	if len(args) == 0 {
		c.fault("pulumi %s: which key?", name)
		return
	}
	byPath, _ := flags.GetBool("path")
	secret, _ := flags.GetBool("secret")
	if strings.HasPrefix(args[0], "tarot:") {
		at := c.key(args[0])
		if !byPath && strings.ContainsAny(args[0], ".[") {
			c.fault("pulumi %s: without --path that is one key with a dot in it", strings.Join(words, " "))
		}
		if properties, _ := at["properties"].(map[string]any); at != nil && (properties["secure"] != nil) != secret {
			c.fault("pulumi %s: a secret is set by --secret, and nothing else is", strings.Join(words, " "))
		}
	}
}

// --- stack files ------------------------------------------------------------------

// key is what the schema says of a key; nil: there is none.
func (c *manual) key(text string) map[string]any {
	c.keys++
	name, ok := strings.CutPrefix(text, "tarot:")
	if !ok {
		return nil
	}
	path, err := resource.ParsePropertyPath(strings.TrimSuffix(name, "."))
	if err != nil || len(path) == 0 {
		c.fault("%s: %v", text, err)
		return nil
	}
	top, _ := path[0].(string)
	at := property(c.schema["properties"].(map[string]any)["config"].(map[string]any), "tarot:"+top)
	for _, step := range path[1:] {
		if at == nil {
			break
		}
		if name, is := step.(string); is {
			at = property(at, name)
		} else {
			at, _ = at["items"].(map[string]any)
		}
	}
	if at == nil {
		c.fault("a stack file has no %s", text)
	}
	return at
}

// property is what a schema says of a name in an object; nil: it is not allowed.
func property(of map[string]any, name string) map[string]any {
	properties, _ := of["properties"].(map[string]any)
	if found, is := properties[name].(map[string]any); is {
		return found
	}
	patterns, _ := of["patternProperties"].(map[string]any)
	for pattern, found := range patterns {
		if matches, err := regexp.MatchString(pattern, name); matches && err == nil {
			return found.(map[string]any)
		}
	}
	found, _ := of["additionalProperties"].(map[string]any)
	return found
}

// yaml looks at the keys of a piece of a stack file.
func (c *manual) yaml(text string) {
	var file map[string]any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		c.fault("%v", err)
		return
	}
	for name, value := range file {
		if !strings.HasPrefix(name, "tarot:") {
			continue
		}
		c.keys++
		at := property(c.schema["properties"].(map[string]any)["config"].(map[string]any), name)
		if at == nil {
			c.fault("a stack file has no %s", name)
			continue
		}
		c.within(name, at, value)
	}
}

func (c *manual) within(name string, at map[string]any, value any) {
	object, is := value.(map[string]any)
	if !is {
		return
	}
	for key, inner := range object {
		c.keys++
		below := property(at, key)
		if below == nil {
			c.fault("a stack file has no %s.%s", name, key)
			continue
		}
		c.within(name+"."+key, below, inner)
	}
}
