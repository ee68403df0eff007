package main

import (
	"testing"

	"tarot-platform/toolchain/internal/sdktags"
)

func TestPropertiesAreThoseOfTheSDK(t *testing.T) {
	sdk, err := sdktags.Load("github.com/pulumi/pulumi-random/sdk/v4", "v"+version, "go/random")
	if err != nil {
		t.Fatal(err)
	}
	info := provider()
	for upstream, resource := range info.Resources {
		t.Run(resource.Tok.Name().String(), func(t *testing.T) {
			differences, err := sdk.Compare(info, upstream)
			if err != nil {
				t.Fatal(err)
			}
			for _, difference := range differences {
				t.Error(difference)
			}
		})
	}
}
