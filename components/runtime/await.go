package runtime

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
)

// A deploy is a sequence: migrate, start, verify, switch. So in an update the
// program waits for each step before it declares the next: what fails leaves
// everything after it undeclared, and Pulumi deletes nothing of a program that
// has failed. A preview declares the same and waits for nothing.

// idOf returns a resource's id once the engine has made it. Not for previews.
func idOf(ctx *pulumi.Context, resource pulumi.CustomResource) (string, error) {
	result, err := internals.UnsafeAwaitOutput(ctx.Context(), resource.ID())
	if err != nil {
		return "", err
	}
	id, ok := result.Value.(pulumi.ID)
	if !ok || !result.Known || id == "" { // its registration has failed, and says why itself
		return "", fmt.Errorf("resource %v has no id", resource)
	}
	return string(id), nil
}

// Text returns an output's value once it is known. Not for previews.
func Text(ctx *pulumi.Context, output pulumi.StringOutput) (string, error) {
	result, err := internals.UnsafeAwaitOutput(ctx.Context(), output)
	if err != nil {
		return "", err
	}
	text, _ := result.Value.(string)
	return text, nil
}
