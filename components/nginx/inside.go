package nginx

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// inside is the address that is asked where nginx publishes no port.
const inside = "127.0.0.1"

// fromInside asks the nginx of a stack from inside its container, whatever address a request
// is for, as an edge would: with the name that is asked for, and saying whether that is by
// HTTPS. It is how a deploy reaches a nginx that has no port on the host.
type fromInside struct {
	engine Engine
	stack  string
}

// ask is the command: what is asked is on its standard input, where no list of processes
// shows the stack's token.
var ask = []string{"curl", "--silent", "--show-error", "--include", "--http1.1", "--raw", "--max-time", "9", "--config", "-"}

// RoundTrip implements http.RoundTripper.
func (f fromInside) RoundTrip(r *http.Request) (*http.Response, error) {
	var said strings.Builder
	option := func(name, value string) { fmt.Fprintf(&said, "%s = %s\n", name, quoted(value)) }
	option("url", "http://"+inside+":"+strconv.Itoa(httpPort)+r.URL.RequestURI())
	option("request", r.Method)
	option("header", "Host: "+r.URL.Host)
	option("header", "X-Forwarded-Proto: "+r.URL.Scheme)
	for name, values := range r.Header {
		for _, value := range values {
			option("header", name+": "+value)
		}
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		if len(body) > 0 {
			option("data-raw", string(body))
		}
	}
	answer, err := f.engine.ExecWith(r.Context(), f.stack, name, said.String(), ask...)
	if err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), r)
}

// quoted is a text in double quotes, as curl's configuration has it.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`).Replace(text) + `"`
}
