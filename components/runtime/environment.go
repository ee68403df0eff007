package runtime

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
)

// withEnvironmentFile adds the environment to a workload's files. Its program is
// started by a shell that loads it, and so is its health check.
func withEnvironmentFile(w workload.Workload) workload.Workload {
	w.Files = append(slices.Clone(w.Files), workload.File{Name: workload.EnvironmentFile, Content: pulumi.String(w.EnvironmentScript())})
	return w
}

// start is what the shell that loads the environment goes on with. The engine
// drops an image's own CMD where the entrypoint is replaced.
func start(w workload.Workload) pulumi.StringArrayInput {
	switch {
	case len(w.Command) > 0:
		return pulumi.ToStringArray(slices.Concat(w.Before, w.Command))
	case len(w.Before) > 0:
		return w.Image.Start.ApplyT(func(own []string) []string { return slices.Concat(w.Before, own) }).(pulumi.StringArrayOutput)
	}
	return w.Image.Start
}

// shellStartup is ENV=file, so that a shell that `docker exec` starts has the
// environment; empty where the image has a word of its own in that variable.
func shellStartup(w workload.Workload) pulumi.StringOutput {
	const variable = workload.ShellStartup + "="
	return w.Image.Environment.ApplyT(func(own []string) string {
		if slices.ContainsFunc(own, func(pair string) bool { return strings.HasPrefix(pair, variable) }) {
			return ""
		}
		return variable + workload.EnvironmentPath
	}).(pulumi.StringOutput)
}
