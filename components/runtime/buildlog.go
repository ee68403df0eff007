package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// BuildLog is where the engine's log of the last image build is, relative to
// the project. Follow it with `tail -f` while an image is built.
const BuildLog = buildFolder + "/image.log"

// buildLogLines is how much of it a failed build shows.
const buildLogLines = 40

// emptyBuildLog makes room for the next build's log: the provider appends.
func emptyBuildLog() error {
	return errors.Join(os.MkdirAll(filepath.Dir(BuildLog), 0o755), os.WriteFile(BuildLog, nil, 0o644))
}

// showFailedBuild makes the log of a build that fails part of the error: the
// provider's own names the command and its exit code only. syntax is the image that
// reads the Dockerfile, if that names one.
func showFailedBuild(ctx *pulumi.Context, name, syntax string) pulumi.ResourceOption {
	hook, err := ctx.RegisterErrorHook(name+"-build-log", func(*pulumi.ErrorHookArgs) (bool, error) {
		const again = false
		text, err := os.ReadFile(BuildLog)
		if err != nil || len(text) == 0 {
			return again, err
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		tail := strings.Join(lines[max(0, len(lines)-buildLogLines):], "\n")
		return again, ctx.Log.Error("the end of "+BuildLog+":\n"+tail+syntaxHint(syntax, string(text)), nil)
	})
	if err != nil { // a CLI that is too old for error hooks: the log is in the file all the same
		return pulumi.ResourceHooks(nil)
	}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{OnError: []*pulumi.ErrorHook{hook}})
}

// syntaxHint says where a build ended that has not got as far as the Dockerfile: at the
// image that its first line wants to be read by.
func syntaxHint(syntax, log string) string {
	repository, _, _ := strings.Cut(syntax, ":")
	if syntax == "" || !strings.Contains(log, repository) {
		return ""
	}
	// Once it is there, the build goes on with other steps.
	after := log[strings.LastIndex(log, repository):]
	if !strings.Contains(after, "ERROR") && !strings.Contains(after, "not found") && !strings.Contains(after, "fail") || strings.Contains(after, "DONE") {
		return ""
	}
	return "\nThe Dockerfile's first line, `# syntax=" + syntax + "`, has the engine fetch that image before it reads on. " +
		"Without a registry, remove the line: the engine has a reader of its own"
}
