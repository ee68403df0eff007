package engine

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// socket is one that somebody listens at.
type socket struct {
	address netip.Addr
	inode   string
}

// meets is true where a listener at the address would be in its way. Empty is all
// addresses.
func (s socket) meets(address string) bool {
	wanted, err := netip.ParseAddr(address)
	return err != nil || wanted.IsUnspecified() || s.address.IsUnspecified() || s.address == wanted.Unmap()
}

// listeners are the sockets at which somebody listens on the port, from Linux' process
// file system; false where that can't be read.
func listeners(proc string, port int) (found []socket, readable bool) {
	for _, table := range []string{"tcp", "tcp6"} {
		file, err := os.Open(filepath.Join(proc, "net", table))
		if err != nil {
			continue // an engine's machine may have no IPv6
		}
		readable = true
		for lines := bufio.NewScanner(file); lines.Scan(); {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
			fields := strings.Fields(lines.Text())
			const listen = "0A"
			if len(fields) < 10 || fields[3] != listen {
				continue
			}
			address, number, _ := strings.Cut(fields[1], ":")
			if n, err := strconv.ParseUint(number, 16, 16); err == nil && int(n) == port {
				found = append(found, socket{kernelAddress(address), fields[9]})
			}
		}
		_ = file.Close()
	}
	return found, readable
}

// kernelAddress reads an address as the kernel prints it: words of four bytes, the
// last byte first (on little-endian machines, which all that Docker is built for but
// s390x are).
func kernelAddress(text string) netip.Addr {
	bytes, err := hex.DecodeString(text)
	if err != nil || len(bytes)%4 != 0 {
		return netip.IPv6Unspecified()
	}
	for word := range slices.Chunk(bytes, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(bytes)
	if !ok {
		return netip.IPv6Unspecified()
	}
	return address.Unmap()
}

// processOf is the process that has the socket, as far as this user may know.
func processOf(proc, inode string) string {
	descriptors, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	for _, d := range descriptors {
		if to, err := os.Readlink(d); err != nil || to != "socket:["+inode+"]" {
			continue
		}
		folder := filepath.Dir(filepath.Dir(d))
		command, _ := os.ReadFile(filepath.Join(folder, "comm"))
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(command)), filepath.Base(folder))
	}
	return ""
}
