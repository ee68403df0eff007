// Package console tells people how a command gets on, in the form of setup/lib.sh: what is
// a Make target looks the same whether a script or a program is behind it.
package console

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Console is where people read. What is data goes to stdout, and not through it.
type Console struct {
	To io.Writer
	// Colors are for terminals.
	Colors bool
}

// Stderr is the process's own, in colours where it is a terminal.
func Stderr() Console {
	info, err := os.Stderr.Stat()
	return Console{To: os.Stderr, Colors: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// ANSI's codes.
const (
	bold   = "1"
	green  = "32"
	yellow = "33"
	red    = "31"
)

func (c Console) paint(code, text string) string {
	if !c.Colors {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Step begins a part of the work.
func (c Console) Step(format string, args ...any) {
	c.line("%s", c.paint(bold, "==> "+fmt.Sprintf(format, args...)))
}

// OK is a part that went well, or what was found.
func (c Console) OK(format string, args ...any) {
	c.line("  %s    %s", c.paint(green, "ok"), fmt.Sprintf(format, args...))
}

// Warn is a fault that does not end the work.
func (c Console) Warn(format string, args ...any) {
	c.line("  %s  %s", c.paint(yellow, "warn"), fmt.Sprintf(format, args...))
}

// Note is anything else that is worth a line.
func (c Console) Note(format string, args ...any) { c.line("        "+format, args...) }

// Quote is what somebody else has said, line by line.
func (c Console) Quote(text string) {
	for line := range strings.Lines(text) {
		c.Note("| %s", strings.TrimSuffix(line, "\n"))
	}
}

// Fail is how the work ended.
func (c Console) Fail(f Failure) {
	c.line("  %s  %s", c.paint(red, "fail"), f.What)
	for _, line := range f.More {
		c.Note("%s", line)
	}
}

func (c Console) line(format string, args ...any) { _, _ = fmt.Fprintf(c.To, format+"\n", args...) }

// Failure is an error that people are told in this form.
type Failure struct {
	What string
	// More is why, or what to do about it, line by line.
	More []string
}

func (f Failure) Error() string { return strings.Join(append([]string{f.What}, f.More...), "\n") }
