package edge

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// proxied are connections that begin as nginx wants them to, and are closed where they do not.
type proxied struct{ net.Listener }

func (p proxied) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	word := make([]byte, len(forItself))
	if _, err := bufio.NewReaderSize(c, len(word)).Read(word); err != nil || string(word) != forItself {
		_ = c.Close()
	}
	return c, nil
}

// What nginx wants changes with its configuration, while the deploy waits for that.
func TestTheProxyProtocolIsFoundOut(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		for _, taken := range []bool{true, false} {
			times := 0
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				times++
				fmt.Fprintln(w, "c0ffee one")
			}))
			if wanted {
				server.Listener = proxied{server.Listener}
			}
			server.Start()
			state, err := Client{Base: server.URL, Token: "t0ken", Proxied: taken}.State(t.Context())
			if err != nil || state.Proxied != wanted || times != 1 {
				t.Errorf("wanted %v, taken for %v: %+v, %v, %d answers", wanted, taken, state, err, times)
			}
			server.Close()
		}
	}
}
