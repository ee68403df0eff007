package runtime

import (
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// An `up` that is killed while the engine creates something leaves it there, and
// Pulumi's state does not know. What has a name of its own then is in nobody's
// way, and removed after the next deploy (prune.go of the program); what has a fixed name
// has to make room first.

// retryWithoutLeftover has the creation of a resource with a fixed name tried again, once,
// without what an interrupted `up` has left under that name. Remove does nothing
// where that is not this stack's.
func (s Stack) retryWithoutLeftover(ctx *pulumi.Context, kind, name string, remove func(name string) (bool, error)) pulumi.ResourceOption {
	var once sync.Once
	hook, err := ctx.RegisterErrorHook(kind+"-"+name+"-left", func(args *pulumi.ErrorHookArgs) (again bool, err error) {
		if args.FailedOperation != "create" || !args.NewInputs["name"].IsString() {
			return false, nil
		}
		once.Do(func() {
			if again, err = remove(args.NewInputs["name"].StringValue()); again {
				err = ctx.Log.Warn(kind+" "+name+" was there, left by an `up` that was interrupted: it is made anew", nil)
			}
		})
		return again, err
	})
	if err != nil { // a CLI that is too old for error hooks
		return pulumi.ResourceHooks(nil)
	}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{OnError: []*pulumi.ErrorHook{hook}})
}
