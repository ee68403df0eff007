package sbom

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"tarot-platform/internal/engine"
)

// archive has files by their names.
func archive(t *testing.T, files ...[2]string) io.Reader {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Size: int64(len(f[1])), Mode: 0o755, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

var debian = [][2]string{
	{"usr/lib/os-release", "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\n"},
	{"var/lib/dpkg/status", "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: 3.5.1-1\nDescription: TLS\n more of it\n\n" +
		"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.41-12)\nVersion: 2.41-12+b1\n"},
	{"var/lib/dpkg/info/python3-idna.list", "/usr/lib/python3/dist-packages/idna-3.10.dist-info/METADATA\n"},
	{"usr/lib/python3/dist-packages/idna-3.10.dist-info/METADATA", "Metadata-Version: 2.1\nName: idna\nVersion: 3.10\n"},
	{"venv/lib/python3.11/site-packages/h11-0.14.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: h11\nVersion: 0.14.0\n\nName: of the description\n"},
	{"venv/lib/python3.11/site-packages/typing_extensions-4.13.2.dist-info/METADATA", "Name: typing_extensions\r\nVersion: 4.13.2\r\n"},
	{"app/web/node_modules/@babel/core/package.json", `{"name":"@babel/core","version":"7.0.0"}`},
	{"app/web/node_modules/left-pad/package.json", `{"name":"left-pad","version":"1.3.0"}`},
	{"app/package.json", `{"name":"not-installed","version":"1.0.0"}`},
	{"app/web/node_modules/broken/package.json", `{`},
}

func TestWhatPackageManagersHaveWrittenDown(t *testing.T) {
	c, err := Read(archive(t, debian...), []string{"PATH=/bin", "PYTHON_VERSION=3.11.9", "NODE_VERSION="})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range c.Packages {
		got = append(got, p.component(c.System).PackageURL)
	}
	want := []string{
		"pkg:deb/debian/libc6@2.41-12%2Bb1?arch=amd64&distro=debian-13&upstream=glibc%402.41-12",
		"pkg:deb/debian/libssl3@3.5.1-1?arch=amd64&distro=debian-13&upstream=openssl",
		"pkg:generic/python@3.11.9",
		"pkg:npm/%40babel/core@7.0.0", "pkg:npm/left-pad@1.3.0",
		"pkg:pypi/h11@0.14.0", "pkg:pypi/typing-extensions@4.13.2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	if (c.System != System{"debian", "13", "Debian GNU/Linux 13 (trixie)"}) || c.Unread != nil {
		t.Errorf("%+v, %v", c.System, c.Unread)
	}
}

func TestAlpineAndDistroless(t *testing.T) {
	c, err := Read(archive(t, [2]string{"lib/apk/db/installed", "P:musl\nV:1.2.5-r0\nA:x86_64\no:musl\n\nP:libssl3\nV:3.3.0-r2\nA:x86_64\no:openssl\n"},
		[2]string{"etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n"}, [2]string{"var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12\nArchitecture: amd64\n"},
		[2]string{"var/lib/dpkg/status.d/base.md5sums", "Package: none\nVersion: 1\n"}, [2]string{"var/lib/rpm/rpmdb.sqlite", ""}), nil)
	if err != nil || len(c.Packages) != 3 || c.Packages[0].Source != "openssl" || c.Packages[2].Name != "base-files" {
		t.Errorf("%+v, %v", c.Packages, err)
	}
	if !slices.Equal(c.Unread, []string{"the packages of RPM"}) {
		t.Errorf("%v", c.Unread)
	}
}

// This test is a program of Go's.
func TestAGoProgramSaysItsModules(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Read(archive(t, [2]string{"backup", string(text)}, [2]string{"bin/sh", "\x7fELF" + strings.Repeat("x", leastGo)}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Packages) != 1 || c.Packages[0].Name != "stdlib" || "go"+c.Packages[0].Version != runtime.Version() {
		t.Errorf("%+v", c.Packages) // a test's binary has no word of its modules
	}
}

func TestTheSameImageHasTheSameDocument(t *testing.T) {
	write := func(id string) []byte {
		c, err := Read(archive(t, debian...), nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Unread = []string{"the packages of RPM"}
		text, err := Write(c, Image{Name: "tarot-backend:0000000000000001", ID: id, Revision: "abc"})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := write("sha256:11")
	if !bytes.Equal(first, write("sha256:11")) || bytes.Equal(first, write("sha256:22")) {
		t.Error("it is of more than the image")
	}
	for _, want := range []string{`"bomFormat":"CycloneDX"`, `"specVersion":"1.6"`, `"serialNumber":"urn:uuid:`, `"name":"tarot-backend","version":"0000000000000001"`, `"value":"abc"`, `"type":"operating-system"`} {
		if !strings.Contains(string(first), want) {
			t.Errorf("no %s in %s", want, first)
		}
	}
	s, err := Summarize(first)
	if err != nil || !reflect.DeepEqual(s, Summary{Packages: 6, Unread: []string{"the packages of RPM"}}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// kept is an engine that has one image, and remembers.
type kept struct {
	files    io.Reader
	looked   int
	document []byte
	failure  error
}

func (k *kept) Image(context.Context, string) (engine.Image, error) {
	return engine.Image{ID: "sha256:11", Environment: []string{"PYTHON_VERSION=3.11.9"}}, nil
}

func (k *kept) Files(_ context.Context, _, _ string, read func(io.Reader) error) error {
	k.looked++
	return errors.Join(k.failure, read(k.files))
}

func (k *kept) Inventory(context.Context, string, string) ([]byte, bool, error) {
	return k.document, k.document != nil, nil
}

func (k *kept) KeepInventory(_ context.Context, _, _, _ string, document []byte) error {
	k.document = document
	return nil
}

func TestAnImageIsReadOnce(t *testing.T) {
	docker := &kept{files: archive(t, debian...)}
	first, err := Of(t.Context(), docker, "tarot-prod", "app:1", "sha256:11")
	if err != nil || !strings.Contains(string(first), "pkg:generic/python@3.11.9") {
		t.Fatalf("%s, %v", first, err)
	}
	if again, err := Of(t.Context(), docker, "tarot-prod", "app:1", "sha256:11"); err != nil || !bytes.Equal(again, first) || docker.looked != 1 {
		t.Errorf("looked %d times, %v", docker.looked, err)
	}
	if _, err := Of(t.Context(), &kept{files: strings.NewReader("no archive"), failure: nil}, "tarot-prod", "app:1", "sha256:11"); err == nil {
		t.Error("what can't be read is empty")
	}
}
