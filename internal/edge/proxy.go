package edge

import (
	"context"
	"net"
)

// forItself is the PROXY protocol's word for a connection that is for nobody else: nginx then takes the address that
// it comes from.
const forItself = "PROXY UNKNOWN\r\n"

// Dialer connects to a nginx, which wants the PROXY protocol or not.
func Dialer(proxied bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := new(net.Dialer)
	if !proxied {
		return dialer.DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if _, err := connection.Write([]byte(forItself)); err != nil {
			_ = connection.Close()
			return nil, err
		}
		return connection, nil
	}
}
