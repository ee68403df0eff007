// Package reference writes docs/configuration.md from the configuration's own
// source: keys, types and defaults from the compiled struct, the words from the
// tags and the Go comments.
package reference

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tarot-platform/internal/config"
)

const header = `<!-- Generated from internal/config by ` + "`go generate ./internal/config`" + `. Do not edit. -->

# Configuration

%s
A key that a stack file leaves out has the default, and a key that does not exist
is an error. Objects are set a key at a time:

` + "```sh" + `
pulumi config set --path '%s:backend.replicas' 5
` + "```" + `

An editor that knows YAML (VS Code with Red Hat's extension, JetBrains', Neovim with yaml-language-server) completes keys, shows this
text and marks what is wrong while you write: the first line of a stack file names [stack.schema.json](stack.schema.json), which is made of the same
source. What two keys mean to each other only a preview checks.
`

const secretsHeader = `
## Secrets

Flat keys, set without ` + "`--path`" + ` and never in an object:

` + "```sh" + `
pulumi config set --secret %s:adminPassword
` + "```" + `

| key | meaning |
|---|---|
`

// Page returns the text of docs/configuration.md. folder is where the Go source
// of package config is.
func Page(folder string) (string, error) {
	words, err := read(folder)
	if err != nil {
		return "", err
	}
	root := reflect.ValueOf(config.Defaults())
	p := &page{words: words}
	fmt.Fprintf(&p.text, header, rest(words.types["Config"]), config.Namespace)
	if err := p.object("", "", root); err != nil {
		return "", err
	}
	fmt.Fprintf(&p.text, secretsHeader, config.Namespace)
	for _, s := range words.secrets {
		p.row(code(config.Namespace+":"+s.key), s.meaning)
	}
	p.row(code(config.Namespace+":NAME"), "For each NAME in `backend.secrets` and `backend.secretEnvironment`, and in those of `services`: "+rest(words.fields["Backend.Secrets"]))
	return p.text.String(), nil
}

type page struct {
	words
	text strings.Builder
}

// object writes the section of one struct, and then those of the structs in it.
func (p *page) object(path, meaning string, value reflect.Value) error {
	type child struct {
		path, meaning string
		value         reflect.Value
	}
	var children []child
	title := config.Namespace + ":" + path
	if path == "" {
		title = "Top level"
	}
	fmt.Fprintf(&p.text, "\n## %s\n\n", title)
	if meaning != "" {
		p.text.WriteString(strings.TrimSpace(meaning+" "+rest(p.types[value.Type().Name()])) + "\n\n")
	}
	p.text.WriteString("| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n")
	for i := range value.NumField() {
		field := value.Type().Field(i)
		key := field.Tag.Get("key")
		if key == "" {
			continue
		}
		name := value.Type().Name() + "." + field.Name
		meaning := p.fields[name]
		if meaning == "" {
			return fmt.Errorf("config: %s has no comment", name)
		}
		full := strings.TrimPrefix(path+"."+key, ".")
		if field.Type.Kind() == reflect.Struct {
			children = append(children, child{full, meaning, value.Field(i)})
			continue
		}
		if entry, several := config.EntryOf(field.Type); several {
			children = append(children, child{full + ".NAME", meaning, entry})
		}
		allowed := field.Tag.Get("allowed")
		if allowed == "" {
			return fmt.Errorf("config: %s does not say what is allowed", name)
		}
		kind, err := kindOf(field.Type)
		if err != nil {
			return fmt.Errorf("config: %s: %w", name, err)
		}
		written, err := defaultOf(value.Field(i))
		if err != nil {
			return fmt.Errorf("config: %s: %w", name, err)
		}
		p.row(code(config.Namespace+":"+full), kind, code(written), allowed, meaning)
	}
	for _, c := range children {
		if err := p.object(c.path, c.meaning, c.value); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	p.text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func code(text string) string { return "`" + text + "`" }

func kindOf(t reflect.Type) (string, error) {
	if _, several := config.EntryOf(t); several {
		return "objects by name", nil
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration", nil
	case reflect.TypeFor[config.Bytes]():
		return "size", nil
	case reflect.TypeFor[[]string]():
		return "list", nil
	case reflect.TypeFor[map[string]string]():
		return "map", nil
	case reflect.TypeFor[map[string][]string]():
		return "map of lists", nil
	}
	switch t.Kind() {
	case reflect.String:
		return "string", nil
	case reflect.Bool:
		return "boolean", nil
	case reflect.Int:
		return "integer", nil
	case reflect.Float64:
		return "number", nil
	}
	return "", fmt.Errorf("no word for the type %s", t)
}

// defaultOf writes a value as a stack file has it.
func defaultOf(v reflect.Value) (string, error) {
	switch value := v.Interface().(type) {
	case time.Duration:
		return config.DurationText(value), nil
	case config.Bytes:
		return value.String(), nil
	case string:
		if value == "" {
			return strconv.Quote(value), nil
		}
		return value, nil
	}
	if v.Kind() == reflect.Slice && v.IsNil() {
		return "[]", nil
	}
	if v.Kind() == reflect.Map && v.IsNil() {
		return "{}", nil
	}
	text, err := json.Marshal(v.Interface())
	return string(text), err
}

// words are the Go comments.
type words struct {
	types   map[string]string // by type
	fields  map[string]string // by Type.Field
	secrets []secret
}

type secret struct{ key, meaning string }

func read(folder string) (words, error) {
	w := words{types: map[string]string{}, fields: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return w, err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return w, err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, source, parser.ParseComments)
		if err != nil {
			return w, err
		}
		w.file(set, file)
	}
	if len(w.secrets) == 0 {
		return w, fmt.Errorf("%s: no platformSecrets found", folder)
	}
	return w, nil
}

func (w *words) file(set *token.FileSet, file *ast.File) {
	comments := ast.NewCommentMap(set, file, file.Comments)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			for _, spec := range n.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					w.typeSpec(t, n.Doc)
				}
			}
		case *ast.ValueSpec:
			if n.Names[0].Name != "platformSecrets" {
				break
			}
			for _, element := range n.Values[0].(*ast.CompositeLit).Elts {
				key, _ := strconv.Unquote(element.(*ast.BasicLit).Value)
				var text string
				for _, group := range comments[element] {
					text += group.Text()
				}
				w.secrets = append(w.secrets, secret{key, line(text)})
			}
		}
		return true
	})
}

func (w *words) typeSpec(t *ast.TypeSpec, doc *ast.CommentGroup) {
	object, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	w.types[t.Name.Name] = line(doc.Text())
	for _, field := range object.Fields.List {
		for _, name := range field.Names {
			w.fields[t.Name.Name+"."+name.Name] = line(field.Doc.Text())
		}
	}
}

// line is a comment without its line ends.
func line(comment string) string { return strings.Join(strings.Fields(comment), " ") }

// rest is a comment without its first sentence, which by Go's custom says what
// the type is called and is said by the field already.
func rest(comment string) string {
	_, after, _ := strings.Cut(comment, ". ")
	return after
}
