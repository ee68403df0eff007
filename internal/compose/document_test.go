package compose

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// Each key that a service of Compose's may have is named in the document: what becomes of it, or that
// nothing does.
func TestTheDocumentNamesEachKeyOfAService(t *testing.T) {
	text, err := os.ReadFile("../../docs/coming-from-compose.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Collect(maps.Keys(reasons))
	for _, field := range reflect.VisibleFields(reflect.TypeFor[types.ServiceConfig]()) {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if key != "" && key != "-" && !strings.HasPrefix(key, "#") && key != "name" {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		named := "`" + strings.TrimPrefix(key, "deploy.")
		if !strings.Contains(string(text), named+"`") && !strings.Contains(string(text), named+":") && !strings.Contains(string(text), named+".") {
			t.Errorf("docs/coming-from-compose.md says nothing of %s", key)
		}
	}
	if len(keys) < 100 {
		t.Errorf("%d keys are known, and there should be more", len(keys))
	}
}
