package sbom

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	purl "github.com/package-url/packageurl-go"
)

// unreadProperty is what the document says of what could not be read.
const unreadProperty = "tarot:unread"

// Image is what the document is of.
type Image struct {
	// Name is its reference, and ID what that means.
	Name, ID string
	// Revision is the commit that it was built from, if that is known.
	Revision string
}

// Write writes contents as CycloneDX 1.6, in JSON. The same image has the same document: it has
// no time of its own.
func Write(c Contents, of Image) ([]byte, error) {
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(of.ID)
	repository, tag, _ := strings.Cut(of.Name, ":")
	image := cdx.Component{BOMRef: of.ID, Type: cdx.ComponentTypeContainer, Name: repository, Version: tag}
	if of.Revision != "" {
		image.Properties = &[]cdx.Property{{Name: "org.opencontainers.image.revision", Value: of.Revision}}
	}
	bom.Metadata = &cdx.Metadata{Component: &image, Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "tarot-platform"}}}}
	for _, unread := range c.Unread {
		properties := append(deref(bom.Metadata.Properties), cdx.Property{Name: unreadProperty, Value: unread})
		bom.Metadata.Properties = &properties
	}
	var components []cdx.Component
	if c.System.ID != "" {
		components = append(components, cdx.Component{BOMRef: "os", Type: cdx.ComponentTypeOS, Name: c.System.ID, Version: c.System.Version, Description: c.System.Name})
	}
	seen := map[string]bool{}
	for _, p := range c.Packages {
		component := p.component(c.System)
		if seen[component.BOMRef] {
			continue // in another folder, too
		}
		seen[component.BOMRef] = true
		components = append(components, component)
	}
	bom.Components = &components
	var out bytes.Buffer
	err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).EncodeVersion(bom, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

func deref[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}

// component has the package's URL with what a database looks it up by: the distribution, and the
// source package that advisories are of.
func (p Package) component(of System) cdx.Component {
	namespace, name := "", p.Name
	var qualifiers purl.Qualifiers
	add := func(key, value string) {
		if value != "" {
			qualifiers = append(qualifiers, purl.Qualifier{Key: key, Value: value})
		}
	}
	switch p.Type {
	case "deb", "apk":
		namespace = of.ID
		add("arch", p.Arch)
		if of.ID != "" && of.Version != "" {
			add("distro", of.ID+"-"+of.Version)
		}
		if upstream := p.Source; upstream != "" && upstream != p.Name || p.SourceVersion != "" {
			if p.SourceVersion != "" {
				upstream += "@" + p.SourceVersion
			}
			add("upstream", upstream)
		}
	case "pypi":
		name = strings.ToLower(strings.ReplaceAll(p.Name, "_", "-"))
	case "npm", "golang":
		if i := strings.LastIndex(p.Name, "/"); i >= 0 {
			namespace, name = p.Name[:i], p.Name[i+1:]
		}
	}
	address := purl.NewPackageURL(p.Type, namespace, name, p.Version, qualifiers, "").ToString()
	properties := []cdx.Property{}
	if p.Path != "" {
		properties = append(properties, cdx.Property{Name: "syft:location:0:path", Value: "/" + p.Path})
	}
	component := cdx.Component{BOMRef: address, Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: address, CPE: p.CPE}
	if p.Type == "generic" {
		component.Type = cdx.ComponentTypeApplication
	}
	if len(properties) > 0 {
		component.Properties = &properties
	}
	return component
}

// serial is a UUID that an image always has.
func serial(id string) string {
	sum := sha256.Sum256([]byte(id))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, of one's own making
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Summary is what a document has, without all of it.
type Summary struct {
	Packages int
	Unread   []string
}

// Summarize reads a document.
func Summarize(document []byte) (Summary, error) {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(document), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return Summary{}, fmt.Errorf("the SBOM: %w", err)
	}
	var s Summary
	for _, c := range deref(bom.Components) {
		if c.Type != cdx.ComponentTypeOS {
			s.Packages++
		}
	}
	if bom.Metadata != nil {
		for _, p := range deref(bom.Metadata.Properties) {
			if p.Name == unreadProperty {
				s.Unread = append(s.Unread, p.Value)
			}
		}
	}
	return s, nil
}
