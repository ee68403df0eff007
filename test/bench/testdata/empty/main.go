// A Pulumi program without resources: the peer of `up` without a change. The
// benchmark puts it into a folder with the platform's own go.mod.
package main

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

func main() {
	pulumi.Run(func(*pulumi.Context) error { return nil })
}
