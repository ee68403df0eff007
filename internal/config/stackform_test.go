package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// The first `pulumi stack init` and every `pulumi config set` write the whole file as Pulumi
// writes YAML. Files that are in that form already show what was meant to change, and no more.
func TestStackFilesAreAsPulumiWritesThem(t *testing.T) {
	project := &workspace.Project{Name: tokens.PackageName("tarot"), Runtime: workspace.NewProjectRuntimeInfo("go", nil)}
	for _, path := range stackFiles(t) {
		committed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		stack, err := workspace.LoadProjectStack(nil, project, path)
		if err != nil {
			t.Fatal(err)
		}
		const salt = "v1:a-salt"
		salted := stack.EncryptionSalt != ""
		if !salted {
			stack.EncryptionSalt = salt
		}
		copied := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := stack.Save(copied); err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimRight(string(written), "\n"), "\n")
		want := strings.Split(strings.TrimRight(string(committed), "\n"), "\n")
		if !salted {
			want = append(want, "encryptionsalt: "+salt)
		}
		if len(got) != len(want) {
			t.Errorf("%s: Pulumi writes %d lines, want %d", filepath.Base(path), len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("%s:%d: Pulumi writes %q: write it so here, not %q", filepath.Base(path), i+1, got[i], want[i])
			}
		}
	}
}
