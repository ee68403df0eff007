// Package sdktags compares a plugin's schema with the Go SDK that programs use it through. It reads the SDK's source
// instead of importing it: the Docker SDK takes minutes to compile, and its names stand in its struct tags.
package sdktags

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// SDK is the structs of an SDK's package: struct name -> property name -> Go type.
type SDK map[string]map[string]string

// Load reads package pkg (a folder) of a module at a version, downloading the module where it is not there yet.
func Load(module, version, pkg string) (SDK, error) {
	out, err := exec.Command("go", "mod", "download", "-json", module+"@"+version).Output()
	if err != nil {
		return nil, fmt.Errorf("downloading %s@%s: %w\n%s", module, version, err, out)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(downloaded.Dir, pkg, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no Go files in %s/%s (%v)", downloaded.Dir, pkg, err)
	}
	sdk := SDK{}
	for _, file := range files {
		if err := sdk.read(file); err != nil {
			return nil, err
		}
	}
	return sdk, nil
}

func (s SDK) read(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range parsed.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			typ, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			if fields, ok := typ.Type.(*ast.StructType); ok {
				s[typ.Name.Name] = properties(fields)
			}
		}
	}
	return nil
}

func properties(fields *ast.StructType) map[string]string {
	found := map[string]string{}
	for _, field := range fields.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			continue
		}
		if name, ok := reflect.StructTag(tag).Lookup("pulumi"); ok {
			name, _, _ = strings.Cut(name, ",")
			found[name] = typeName(field.Type)
		}
	}
	return found
}

// typeName writes a type without its pointers: what is optional does not matter here.
func typeName(expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.ArrayType:
		return "[]" + typeName(t.Elt)
	case *ast.MapType:
		return "map[" + typeName(t.Key) + "]" + typeName(t.Value)
	case *ast.SelectorExpr:
		return t.Sel.Name
	default:
		return fmt.Sprintf("%T", expr)
	}
}
