package main

import (
	"slices"
	"strings"
	"testing"

	"tarot-platform/toolchain/internal/sdktags"
)

// newer is what upstream has learnt since 3.9.0. The SDK cannot name it, so a program cannot set it; where the engine
// reports it, it stands in the state, and the official plugin drops it.
var newer = []string{
	"Container.deviceCgroupRules",
	"Container.deviceReadBps",
	"Container.deviceReadIops",
	"Container.deviceRequests",
	"Container.deviceWriteBps",
	"Container.deviceWriteIops",
	"Container.networksAdvanced.driverOpts",
	"Container.networksAdvanced.gwPriority",
	"Container.networksAdvanced.linkLocalIps",
	"Container.platform",
	"Container.uploads.group",
	"Container.uploads.owner",
	"Container.volumes.selinuxRelabel",
	"RegistryImage.build.provenance",
	"RegistryImage.build.sbom",
	"RegistryImage.build.useLegacyBuilder",
	"RemoteImage.build.provenance",
	"RemoteImage.build.sbom",
	"RemoteImage.build.useLegacyBuilder",
	"Service.taskSpec.containerSpec.init",
	"Service.taskSpec.networksAdvanceds.id",
	"ServiceConfig.dataRaw",
	"ServiceConfig.labels",
}

// A property that is spelt differently here than in the SDK would be dropped on its way to the engine, in silence.
func TestPropertiesAreThoseOfTheSDK(t *testing.T) {
	sdk, err := sdktags.Load("github.com/pulumi/pulumi-docker/sdk/v4", "v"+version, "go/docker")
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
				property, how, _ := strings.Cut(difference, ": ")
				if how != "only in the plugin" || !slices.Contains(newer, property) {
					t.Error(difference)
				}
			}
		})
	}
}
