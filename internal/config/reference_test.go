package config_test

import (
	"os"
	"testing"

	"tarot-platform/internal/config/reference"
)

func TestReferencePageIsWhatTheSourceSays(t *testing.T) {
	want, err := reference.Page(".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is stale: go generate ./internal/config")
	}
}
