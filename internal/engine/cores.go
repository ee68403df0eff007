package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Cores are what becomes of the memory of processes that crash.
type Cores struct {
	// Pattern is where the kernel of the engine's machine writes it, or to whom.
	Pattern string
	// Limits are how much of it, by the processes' numbers: 0, or unlimited, or a number of bytes.
	Limits map[int]string
}

// coresScript prints the pattern, and a line for each process that is there: its number and its limit.
const coresScript = `cat /proc/sys/kernel/core_pattern
for process in "$@"; do
  limit=$(sed -n 's/^Max core file size  *\([^ ]*\).*/\1/p' "/proc/$process/limits" 2>/dev/null) || continue
  echo "$process $limit"
done`

// Cores asks the kernel of the engine's machine. The image has to be on the engine, and to have a shell.
func (e *Engine) Cores(ctx context.Context, prefix, image string, processes []int) (Cores, error) {
	words := []string{"/bin/sh", "-c", coresScript, "cores"}
	for _, process := range processes {
		words = append(words, strconv.Itoa(process))
	}
	said, err := e.say(ctx, prefix, Once{Name: "cores", Image: image, User: "65534:65534", Command: words, Memory: lookMemory, HostProcesses: true, Again: true})
	if err != nil {
		return Cores{}, err
	}
	pattern, rest, _ := strings.Cut(said, "\n")
	found := Cores{pattern, map[int]string{}}
	for line := range strings.Lines(rest) {
		number, limit, _ := strings.Cut(strings.TrimSpace(line), " ")
		process, err := strconv.Atoi(number)
		if err != nil || limit == "" {
			return Cores{}, fmt.Errorf("the limits of processes: %q", line)
		}
		found.Limits[process] = limit
	}
	return found, nil
}
