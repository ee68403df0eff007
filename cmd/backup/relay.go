package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
)

// usual is where the release looks for a server: each library knows an address, and hardly one a
// socket's.
const usual = "127.0.0.1:5432"

// server is one of another room, whose socket is there. That room looks at it, before and after.
type server struct{ socket string }

func (s server) open() (func(), error) {
	listener, err := net.Listen("tcp", usual)
	if err != nil {
		return nil, err
	}
	// There is no network in this room: nobody but the release can ask.
	go relay(listener, s.socket)
	return func() { _ = listener.Close() }, nil
}

func (server) migrated(context.Context) error { return nil }
func (server) whole(context.Context) error    { return nil }

// relay hands on what comes, until the listener is closed.
func relay(listener net.Listener, socket string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.Dial("unix", socket)
			if err != nil {
				fmt.Fprintln(os.Stderr, "relay:", err)
				return
			}
			defer to.Close()
			go func() {
				_, _ = io.Copy(to, from)
				_ = to.(*net.UnixConn).CloseWrite()
			}()
			_, _ = io.Copy(from, to)
		}()
	}
}
