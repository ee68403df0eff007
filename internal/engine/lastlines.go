package engine

import (
	"regexp"
	"slices"
	"strings"
)

const (
	// logTail is how many lines of a failed container's log an error shows, and logRead how many are
	// read: what a worker died of comes before what its server says of that.
	logTail, logRead = 20, 300
	// tellingShown is how many different earlier lines are shown that name an error.
	tellingShown = 5
)

// telling is a line that names an error: the last one of a traceback, or that of a program that
// gives up.
var telling = regexp.MustCompile(`^\s*([A-Za-z_][\w.]*(Error|Exception|Exit)\b|Error:|panic:|fatal( error)?:|FATAL\b|CRITICAL\b)`)

// lastLines are a log's last lines, and before them the newest of the earlier ones that name an
// error, each once.
func lastLines(log string) string {
	lines := strings.Split(log, "\n")
	if len(lines) <= logTail {
		return log
	}
	earlier, last := lines[:len(lines)-logTail], lines[len(lines)-logTail:]
	var told []string
	for _, line := range slices.Backward(earlier) {
		if len(told) < tellingShown && telling.MatchString(line) && !slices.Contains(told, line) && !slices.Contains(last, line) {
			told = append(told, line)
		}
	}
	if len(told) > 0 {
		slices.Reverse(told)
		last = slices.Concat(told, []string{"…"}, last)
	}
	return strings.Join(last, "\n")
}
