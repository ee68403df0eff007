package audit

// restRule is about what volumes with data lie on, and not the benchmark's.
var restRule = rule{number: "rest", title: "data at rest is encrypted"}

// coreRule is about the memory of what crashes.
var coreRule = rule{number: "core", title: "no core dump"}

// OfCore is what is said of a container whose processes may leave so much of their memory there.
func OfCore(container, limit, pattern string) Finding {
	f := Finding{Number: coreRule.number, Rule: coreRule.title, Container: container, Result: Pass}
	if limit != "0" {
		f.Result, f.Found = Exception, limit+": its memory, with its secrets, goes to "+pattern+" where it crashes"
		f.Why = `"default-ulimits": {"core": {"Name": "core", "Hard": 0, "Soft": 0}} in the engine's daemon.json is for all of its containers that are made then (docs/security.md)`
	}
	return f
}

// CoresUntold is what is said where that could not be asked.
func CoresUntold(why string) Finding {
	return Finding{Number: coreRule.number, Rule: coreRule.title, Container: "the stack's containers", Result: Unknown, Found: why}
}

// OfVolume is what is said of a volume.
func OfVolume(name string, result Result, found, why string) Finding {
	return Finding{Number: restRule.number, Rule: restRule.title, Container: name, Result: result, Found: found, Why: why}
}
