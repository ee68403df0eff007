package engine

import (
	"fmt"
	"strings"
	"testing"
)

// Gunicorn's own traceback is longer than what an error shows, and says only that a worker failed.
func TestWhatAWorkerDiedOfIsShown(t *testing.T) {
	var log strings.Builder
	for range 2 {
		log.WriteString("Traceback (most recent call last):\n  File \"wsgi.py\", line 7\nRuntimeError: broken start\n[INFO] Worker exiting\n")
	}
	log.WriteString("django.core.exceptions.ImproperlyConfigured: no SECRET_KEY\nkeyerror.py is a file\n")
	for i := range logTail {
		fmt.Fprintf(&log, "  frame %d\n", i)
	}
	said := lastLines(strings.TrimRight(log.String(), "\n"))
	if strings.Count(said, "RuntimeError: broken start") != 1 || strings.Contains(said, "Worker exiting") || !strings.HasSuffix(said, "frame 19") || !strings.Contains(said, "\n…\n  frame 0\n") {
		t.Error(said)
	}
	if short := "ValueError: a\nb"; lastLines(short) != short {
		t.Error(lastLines(short))
	}
	for line, want := range map[string]bool{
		"sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) unable to open": true, "SystemExit: broken": true, "Error: Cannot find module 'x'": true,
		"panic: runtime": true, "INFO: 3 errors": false, "raise ValueError(x)": false, "FATAL:  role \"app\" does not exist": true, "errors.py": false,
	} {
		if telling.MatchString(line) != want {
			t.Errorf("%q: %t", line, !want)
		}
	}
}
