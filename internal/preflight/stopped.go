package preflight

import "tarot-platform/internal/checks"

// Variable is how a preview is told to write the checklist to a file, and to end there.
const Variable = "TAROT_PREFLIGHT"

// Stopped is the check that ended the list before the others could be made. noEngine is true where the engine
// is what did not answer.
func Stopped(err error, noEngine bool) checks.Check {
	if noEngine {
		return checks.Check{ID: "engine", Checked: "the engine answers", Result: checks.Fail, Found: err.Error(), Mend: "make engine; or another one by DOCKER_HOST. Nothing else was looked at"}
	}
	return checks.Check{ID: "environment", Checked: "the stack's file is complete, and can be deployed from here", Result: checks.Fail, Found: err.Error(),
		Mend: "what each line says; nothing else was looked at before that"}
}
