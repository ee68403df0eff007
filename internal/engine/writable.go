package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrNotWritable is what CheckWritable finds.
var ErrNotWritable = errors.New("it can't write its data")

// writeTest makes a file in a folder and takes it away again; a file that is there is
// only asked of. It runs as the container's own user.
const writeTest = `for place; do
  if [ -d "$place" ]; then
    new=$place/.write-test.$$
    : >"$new" && rm -f "$new" || exit 1
  elif [ -e "$place" ] && ! [ -w "$place" ]; then
    echo "$place: Permission denied" >&2
    exit 1
  fi
done`

// WriteTest is a command that fails where the folders, or the files among them that
// exist, can't be written.
func WriteTest(places ...string) []string {
	return append([]string{"/bin/sh", "-c", writeTest, "write-test"}, places...)
}

// CheckWritable has one of a workload's containers try to write the places, and returns
// ErrNotWritable with what it says where it can't. Another error means that it could
// not be tried.
func (e *Engine) CheckWritable(ctx context.Context, prefix, workload string, places ...string) error {
	_, err := e.Exec(ctx, prefix, workload, WriteTest(places...)...)
	var ended *ExitError
	if errors.As(err, &ended) && ended.Code != 126 && ended.Code != 127 { // those are no shell's
		return fmt.Errorf("%w: %s", ErrNotWritable, strings.TrimPrefix(ended.Said, "write-test: "))
	}
	return err
}
