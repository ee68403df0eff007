//go:build e2e

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

// webSocket opens a web socket and returns the first message. It speaks just
// enough of RFC 6455 to see that the upgrade went through.
func (s *stack) webSocket(address, path string) string {
	t := s.t
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) //nolint:gosec // self-signed
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", path, address)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("web socket: status %d, want 101", response.StatusCode)
	}
	frame := make([]byte, 2)
	if _, err := io.ReadFull(reader, frame); err != nil {
		t.Fatal(err)
	}
	length := int(frame[1] & 0x7f)
	if length == 126 {
		long := make([]byte, 2)
		if _, err := io.ReadFull(reader, long); err != nil {
			t.Fatal(err)
		}
		length = int(long[0])<<8 | int(long[1])
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(reader, text); err != nil {
		t.Fatal(err)
	}
	return string(text)
}
