// Package blackbox holds blackbox_exporter's configuration.
package blackbox

import _ "embed"

//go:embed blackbox.yml
var settings string

// Settings returns the text of blackbox.yml. Its one module is called http.
func Settings() string { return settings }
