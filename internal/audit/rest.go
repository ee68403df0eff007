package audit

// restRule is about what volumes with data lie on, and not the benchmark's.
var restRule = rule{number: "rest", title: "data at rest is encrypted"}

// OfVolume is what is said of a volume.
func OfVolume(name string, result Result, found, why string) Finding {
	return Finding{Number: restRule.number, Rule: restRule.title, Container: name, Result: result, Found: found, Why: why}
}
