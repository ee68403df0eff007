// Package logs picks lines out of a stack's logs.
package logs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Levels from the least to the most urgent.
var Levels = []string{"debug", "info", "warning", "error"}

// Filter is what is wanted of the lines. What is empty is not asked for.
type Filter struct {
	// Level is the least urgent one.
	Level string
	// Request is the id of one request, as nginx and the application log it.
	Request string
}

// Check names what is not allowed.
func (f Filter) Check() error {
	if f.Level != "" && !slices.Contains(Levels, f.Level) {
		return fmt.Errorf("LEVEL is %q; allowed: %s", f.Level, strings.Join(Levels, ", "))
	}
	return nil
}

// Wants is true for a line that the filter lets through. A line that is no JSON
// object has the level that its words tell, and no request.
func (f Filter) Wants(line string) bool {
	var fields struct {
		Level   string
		Request string `json:"request_id"`
	}
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &fields) != nil {
		fields.Level = levelOf(line)
	}
	if f.Request != "" && fields.Request != f.Request {
		return false
	}
	return f.Level == "" || urgency(fields.Level) >= urgency(f.Level)
}

// As nginx and Python write it: "[error]", "ERROR:", "Traceback".
var (
	errorWords   = regexp.MustCompile(`\[(error|crit|alert|emerg)\]|^(ERROR|CRITICAL|FATAL)\b|^Traceback |^[\w.]*(Error|Exception)\b`)
	warningWords = regexp.MustCompile(`\[warn\]|^WARN(ING)?\b`)
)

func levelOf(text string) string {
	switch {
	case errorWords.MatchString(text):
		return "error"
	case warningWords.MatchString(text):
		return "warning"
	}
	return "info"
}

// urgency of a level that is not known is the highest: rather one line more.
func urgency(level string) int {
	switch level = strings.ToLower(level); level {
	case "warn":
		level = "warning"
	case "":
		level = "info"
	}
	if at := slices.Index(Levels, level); at >= 0 {
		return at
	}
	return len(Levels) - 1
}
