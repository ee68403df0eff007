package doctor

import (
	"bufio"
	"net"
	"os"
	"strings"
)

// Resolver is the first name server of this machine that a container can ask, too; empty: there is none.
func Resolver() string { return resolverIn("/etc/resolv.conf") }

func resolverIn(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "nameserver" {
			if ip := net.ParseIP(fields[1]); ip != nil && !ip.IsLoopback() && ip.To4() != nil {
				return fields[1]
			}
		}
	}
	return ""
}

// Uplink is the MTU of the device that this machine gets out by; 0: it is not known.
func Uplink() int { return uplinkIn("/proc/net/route") }

func uplinkIn(path string) int {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[1] != "00000000" {
			continue
		}
		if device, err := net.InterfaceByName(fields[0]); err == nil {
			return device.MTU
		}
	}
	return 0
}
