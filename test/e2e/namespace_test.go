//go:build e2e

package e2e

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
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
func connects(targets []netip.AddrPort, within time.Duration) (map[netip.AddrPort]bool, error) {
	reached, waiting, of := map[netip.AddrPort]bool{}, []unix.PollFd{}, []netip.AddrPort{}
	took := func(target netip.AddrPort, err error) error {
		switch {
		case err == nil:
			reached[target] = true
		case slices.ContainsFunc([]error{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ECONNREFUSED, unix.ETIMEDOUT, unix.EACCES, unix.EPERM}, func(no error) bool { return errors.Is(err, no) }):
		default:
			return fmt.Errorf("connect to %s: %w", target, err)
		}
		return nil
	}
	for _, target := range targets {
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
		if err := took(target, err); err != nil {
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
				if err := took(of[i], err); err != nil {
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

// listens are the places that the process's network namespace listens at by TCP, of these addresses.
func listens(pid int, at []netip.Addr) (all []netip.AddrPort, err error) {
	for _, table := range []string{"tcp", "tcp6"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if errors.Is(err, os.ErrNotExist) && table == "tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			words := strings.Fields(lines.Text())
			if len(words) < 4 || words[3] != "0A" {
				continue
			}
			address, hexPort, _ := strings.Cut(words[1], ":")
			port, err := strconv.ParseUint(hexPort, 16, 16)
			if err != nil {
				return nil, err
			}
			local, err := kernelAddress(address)
			if err != nil {
				return nil, err
			}
			for _, a := range at {
				if place := netip.AddrPortFrom(a, uint16(port)); (local.IsUnspecified() || local == a) && !slices.Contains(all, place) {
					all = append(all, place)
				}
			}
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// kernelAddress is one of /proc/net/tcp: words of four bytes, each the wrong way round.
func kernelAddress(text string) (netip.Addr, error) {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		return netip.Addr{}, err
	}
	for word := 0; word+4 <= len(bytes); word += 4 {
		slices.Reverse(bytes[word : word+4])
	}
	a, ok := netip.AddrFromSlice(bytes)
	if !ok {
		return a, fmt.Errorf("%q is no address", text)
	}
	return a.Unmap(), nil
}

// What stands for the internet, and where clouds tell a machine its credentials.
var internet, metadata = netip.MustParseAddrPort("198.51.100.2:443"), netip.MustParseAddrPort("169.254.169.254:80")

// near is this machine's own address on the way there.
var near = netip.MustParseAddr("198.51.100.1")

// outside is a network namespace beyond this machine, with something that answers at both.
func outside(t *testing.T) {
	t.Helper()
	const name = "e2e-outside" // and its interface here
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
	if err := inNamespace("/var/run/netns/"+name, func() error {
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
