//go:build e2e

package e2e

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNamespace does something in a network namespace, whatever the image has of tools. The file is one
// like /proc/PID/ns/net.
func inNamespace(file string, do func() error) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: a thread that was elsewhere ends here
		ended <- func() error {
			namespace, err := os.Open(file)
			if err != nil {
				return err
			}
			defer func() { _ = namespace.Close() }()
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("%s: %w: this takes root, on the engine's own machine", file, err)
			}
			return do()
		}()
	}()
	return <-ended
}

func namespaceOf(pid int) string { return fmt.Sprintf("/proc/%d/ns/net", pid) }

// connects tells which of the addresses take a connection from where it is called, all asked at once.
// Each is in the namespace that it is given with: what is on the way may answer for anybody, so that
// the other end is asked whether it has the connection.
func connects(targets map[netip.AddrPort]string, within time.Duration) (map[netip.AddrPort]bool, error) {
	reached, waiting, of := map[netip.AddrPort]bool{}, []unix.PollFd{}, []netip.AddrPort{}
	took := func(socket int, target netip.AddrPort, err error) error {
		switch {
		case err == nil:
			own, err := unix.Getsockname(socket)
			if err != nil {
				return err
			}
			there, err := tcpSockets(targets[target])
			if err != nil {
				return err
			}
			reached[target] = slices.ContainsFunc(there, func(s tcpSocket) bool {
				return !s.listens && s.local == target && int(s.remote.Port()) == own.(*unix.SockaddrInet4).Port
			})
		case slices.ContainsFunc([]error{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ECONNREFUSED, unix.ETIMEDOUT, unix.EACCES, unix.EPERM}, func(no error) bool { return errors.Is(err, no) }):
		default:
			return fmt.Errorf("connect to %s: %w", target, err)
		}
		return nil
	}
	for target := range targets {
		socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		defer func() { _ = unix.Close(socket) }()
		err = unix.Connect(socket, &unix.SockaddrInet4{Port: int(target.Port()), Addr: target.Addr().As4()})
		if errors.Is(err, unix.EINPROGRESS) {
			waiting, of = append(waiting, unix.PollFd{Fd: int32(socket), Events: unix.POLLOUT}), append(of, target)
			continue
		}
		if err := took(socket, target, err); err != nil {
			return nil, err
		}
	}
	for end := time.Now().Add(within); time.Now().Before(end); {
		if _, err := unix.Poll(waiting, int(time.Until(end).Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
		left := false
		for i := range waiting {
			if w := &waiting[i]; w.Fd >= 0 && w.Revents != 0 {
				code, err := unix.GetsockoptInt(int(w.Fd), unix.SOL_SOCKET, unix.SO_ERROR)
				if err == nil && code != 0 {
					err = unix.Errno(code)
				}
				if err := took(int(w.Fd), of[i], err); err != nil {
					return nil, err
				}
				w.Fd = -1
			}
			left = left || waiting[i].Fd >= 0
		}
		if !left {
			break
		}
	}
	return reached, nil
}

// addresses are the IPv4 ones of where it is called, but for the loopback's.
func addresses() (all []netip.Addr, err error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			return nil, err
		}
		if a := prefix.Addr(); a.Is4() && !a.IsLoopback() {
			all = append(all, a)
		}
	}
	return all, nil
}

// tcpSocket is one of a network namespace.
type tcpSocket struct {
	local, remote netip.AddrPort
	listens       bool
}

// tcpSockets are those of a network namespace.
func tcpSockets(namespace string) (all []tcpSocket, err error) {
	var tables string
	if err := inNamespace(namespace, func() error {
		for _, table := range []string{"tcp", "tcp6"} {
			text, err := os.ReadFile("/proc/thread-self/net/" + table)
			if errors.Is(err, os.ErrNotExist) && table == "tcp6" {
				continue // a kernel without IPv6
			}
			if err != nil {
				return err
			}
			tables += string(text)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for line := range strings.Lines(tables) {
		words := strings.Fields(line)
		if len(words) < 4 || words[0] == "sl" {
			continue
		}
		s := tcpSocket{listens: words[3] == "0A"}
		if s.local, err = kernelAddress(words[1]); err != nil {
			return nil, err
		}
		if s.remote, err = kernelAddress(words[2]); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// listens are the places where others can ask a network namespace of these addresses.
func listens(namespace string, at []netip.Addr) (all []netip.AddrPort, err error) {
	sockets, err := tcpSockets(namespace)
	for _, s := range sockets {
		for _, a := range at {
			if place := netip.AddrPortFrom(a, s.local.Port()); s.listens && (s.local.Addr().IsUnspecified() || s.local == place) && !slices.Contains(all, place) {
				all = append(all, place)
			}
		}
	}
	return all, err
}

// kernelAddress is one of /proc/net/tcp: words of four bytes, each the wrong way round.
func kernelAddress(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	bytes, err := hex.DecodeString(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for word := 0; word+4 <= len(bytes); word += 4 {
		slices.Reverse(bytes[word : word+4])
	}
	number, err := strconv.ParseUint(port, 16, 16)
	a, ok := netip.AddrFromSlice(bytes)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(number)), nil
}

// What stands for the internet, and where clouds tell a machine its credentials.
var internet, metadata = netip.MustParseAddrPort("198.51.100.2:443"), netip.MustParseAddrPort("169.254.169.254:80")

// The namespaces of that, and of this machine: the process' own may be another one, where its first
// thread was elsewhere.
const beyond, here = "/var/run/netns/e2e-outside", "/proc/thread-self/ns/net"

// near is this machine's own address on the way there.
var near = netip.MustParseAddr("198.51.100.1")

// outside is a network namespace beyond this machine, with something that answers at both.
func outside(t *testing.T) {
	t.Helper()
	name := filepath.Base(beyond) // and its interface here
	run := func(args ...string) {
		t.Helper()
		if said, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: this takes root and iproute2\n%s", strings.Join(args, " "), err, said)
		}
	}
	gone := func() { _ = exec.Command("ip", "netns", "delete", name).Run() } // its interfaces and routes with it
	gone()
	t.Cleanup(gone)
	run("netns", "add", name)
	run("link", "add", name, "type", "veth", "peer", "name", "far", "netns", name)
	run("address", "add", near.String()+"/24", "dev", name)
	run("link", "set", name, "up")
	run("-netns", name, "address", "add", internet.Addr().String()+"/24", "dev", "far")
	run("-netns", name, "address", "add", metadata.Addr().String()+"/32", "dev", "far")
	run("-netns", name, "link", "set", "far", "up")
	run("-netns", name, "route", "add", "default", "via", near.String())
	run("route", "add", metadata.Addr().String()+"/32", "via", internet.Addr().String(), "dev", name)
	if err := inNamespace(beyond, func() error {
		for _, at := range []netip.AddrPort{internet, metadata} {
			listener, err := net.Listen("tcp", at.String())
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = listener.Close() })
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
