package sdktags

import (
	"fmt"
	"sort"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// Compare lists where a resource of the plugin and one of the SDK differ, as "path: how", sorted. The SDK's struct
// nameState has the inputs and the outputs, in plain Go types.
func (s SDK) Compare(info tfbridge.ProviderInfo, upstream string) ([]string, error) {
	resource := info.Resources[upstream]
	name := string(resource.Tok.Name())
	state, ok := s[strings.ToLower(name[:1])+name[1:]+"State"]
	if !ok {
		return nil, fmt.Errorf("the SDK has no resource %s", name)
	}
	schema, ok := info.P.ResourcesMap().GetOk(upstream)
	if !ok {
		return nil, fmt.Errorf("upstream has no resource %s", upstream)
	}
	c := comparison{sdk: s}
	c.compare(name, state, schema.Schema(), resource.Fields)
	sort.Strings(c.found)
	return c.found, nil
}

type comparison struct {
	sdk   SDK
	found []string
}

func (c *comparison) compare(
	path string, sdk map[string]string, schema shim.SchemaMap, infos map[string]*tfbridge.SchemaInfo,
) {
	plugin := map[string]bool{}
	schema.Range(func(field string, s shim.Schema) bool {
		name := tfbridge.TerraformToPulumiNameV2(field, schema, infos)
		plugin[name] = true
		goType, ok := sdk[name]
		switch {
		case !ok && name == "id" && !strings.Contains(path, "."): // every resource has one, apart from its properties
		case !ok:
			c.differ(path, name, "only in the plugin")
		default:
			c.compareType(path+"."+name, goType, s, infos[field])
		}
		return true
	})
	for name := range sdk {
		if !plugin[name] {
			c.differ(path, name, "only in the SDK")
		}
	}
}

func (c *comparison) compareType(path, goType string, s shim.Schema, info *tfbridge.SchemaInfo) {
	element := goType
	if collection(s) && !tfbridge.IsMaxItemsOne(s, info) {
		if element = strings.TrimPrefix(goType, "[]"); element == goType {
			c.found = append(c.found, path+": a list in the plugin, "+goType+" in the SDK")
			return
		}
	}
	if nested, ok := s.Elem().(shim.Resource); ok {
		fields, ok := c.sdk[element]
		if !ok {
			c.found = append(c.found, path+": an object in the plugin, "+goType+" in the SDK")
			return
		}
		var infos map[string]*tfbridge.SchemaInfo
		if info != nil && info.Elem != nil {
			infos = info.Elem.Fields
		}
		c.compare(path, fields, nested.Schema(), infos)
		return
	}
	if want := scalar(s); want != "" && want != element {
		c.found = append(c.found, path+": "+want+" in the plugin, "+element+" in the SDK")
	}
}

func (c *comparison) differ(path, name, how string) {
	c.found = append(c.found, path+"."+name+": "+how)
}

func collection(s shim.Schema) bool { return s.Type() == shim.TypeList || s.Type() == shim.TypeSet }

// scalar is the Go type of a value, or of a collection's elements; "" where that is not simple.
func scalar(s shim.Schema) string {
	if collection(s) {
		element, ok := s.Elem().(shim.Schema)
		if !ok {
			return ""
		}
		s = element
	}
	switch s.Type() {
	case shim.TypeString:
		return "string"
	case shim.TypeBool:
		return "bool"
	case shim.TypeInt:
		return "int"
	case shim.TypeFloat:
		return "float64"
	default:
		return ""
	}
}
