package nginx

import "strings"

// set are the headers that the configuration gives a value of its own.
var set = []string{"X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-ID", "X-Release-Candidate"}

// believed are further headers that servers for Python take for the word of a proxy:
// gunicorn's secure_scheme_headers and forwarder_headers, Werkzeug's ProxyFix, uWSGI.
var believed = []string{"Forwarded", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Protocol", "X-Forwarded-Scheme",
	"X-Forwarded-Ssl", "X-Scheme", "SCRIPT_NAME", "PATH_INFO"}

// Claims is for the template: the headers that no client may send to the application.
// WSGI does not tell _ from -, so every spelling of a name is one.
func (Config) Claims() []string {
	var names []string
	for _, name := range set {
		names = append(names, spellings(name)[1:]...)
	}
	for _, name := range believed {
		names = append(names, spellings(name)...)
	}
	return names
}

// spellings are a name's with each - and _ as either; the one with - alone is the first.
func spellings(name string) []string {
	all := []string{""}
	for i, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' }) {
		if i == 0 {
			all[0] = word
			continue
		}
		var longer []string
		for _, separator := range []string{"-", "_"} {
			for _, before := range all {
				longer = append(longer, before+separator+word)
			}
		}
		all = longer
	}
	return all
}
