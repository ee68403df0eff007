// Package docs has a test of the documents.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The walks of architecture.md lead through the code by its names.
func TestTheWalksNameWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, walks, found := strings.Cut(string(text), "\n## Parts, runtime, rollout\n")
	walks, _, ends := strings.Cut(walks, "\n## Rules\n")
	if !found || !ends {
		t.Fatal("there are no walks")
	}
	known, checked := declared(t), 0
	for _, name := range regexp.MustCompile("`([A-Za-z]+\\.[A-Za-z]+)`").FindAllStringSubmatch(walks, -1) {
		if strings.HasSuffix(name[1], ".yaml") {
			continue
		}
		checked++
		if !known[name[1]] {
			t.Errorf("%s is nothing in the code", name[1])
		}
	}
	if checked < 20 {
		t.Errorf("%d names are looked up, and there should be more", checked)
	}
}

// declared are the functions, methods and types of the program: as package.Name, and as
// Type.Method.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != ".." || entry.Name() == "toolchain" || entry.Name() == "test") {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					all[file.Name.Name+"."+d.Name.Name] = true
				} else {
					all[receiver(d.Recv.List[0].Type)+"."+d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if s, ok := spec.(*ast.TypeSpec); ok {
						all[file.Name.Name+"."+s.Name.Name] = true
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func receiver(of ast.Expr) string {
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	name, _ := of.(*ast.Ident)
	if name == nil {
		return ""
	}
	return name.Name
}
