package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// operation is what Pulumi's history says of one.
type operation struct{ Kind, Result string }

// pageSize is how many operations are asked for at a time: the last `up` may be behind
// some refreshes.
const pageSize = 20

// Failed is true where the stack's last `up` has failed. A history that can not be read
// is an error: nobody can tell then.
func Failed(ctx context.Context, stack string) (bool, error) {
	for page := 1; ; page++ {
		out, err := Ask(ctx, "stack", "history", "--stack", stack, "--json", "--page-size", strconv.Itoa(pageSize), "--page", strconv.Itoa(page))
		if err != nil {
			return false, err
		}
		failed, done, err := lastUp(out)
		if done || err != nil {
			return failed, err
		}
	}
}

// lastUp finds the last `up` in a page of the history, the latest first. Done is true
// where it is there, or there is no other page.
func lastUp(page []byte) (failed, done bool, err error) {
	var operations []operation
	if err := json.Unmarshal(page, &operations); err != nil {
		return false, false, fmt.Errorf("pulumi stack history: %w", err)
	}
	for _, o := range operations {
		if o.Result == "" || o.Kind == "" {
			return false, false, fmt.Errorf("pulumi stack history: an operation of kind %q with the result %q", o.Kind, o.Result)
		}
		if o.Kind == "update" {
			return o.Result != "succeeded", true, nil
		}
	}
	return false, len(operations) < pageSize, nil
}
