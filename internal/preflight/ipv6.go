package preflight

import (
	"fmt"
	"strconv"
	"strings"

	"tarot-platform/internal/checks"
)

// leadsIPv6 is the first version of Docker that leads IPv6 to containers by the kernel, and so with its address,
// unless it is told otherwise (release notes of 27.0: ip6tables).
const leadsIPv6 = 27

// IPv6 is whether an engine of that version keeps the addresses of users who come by it.
func IPv6(version string) checks.Check {
	c := checks.Check{ID: "ipv6", Checked: "users who come by IPv6 have their own addresses", Result: checks.Pass, Found: "Docker " + version}
	if major, err := strconv.Atoi(strings.SplitN(version, ".", 2)[0]); err == nil && major < leadsIPv6 {
		c.Result = checks.Warn
		c.Found = fmt.Sprintf("Docker %s hides the addresses of users who come by IPv6, all of whom are one client then, unless its ip6tables is on; Docker %d has it on by itself", version, leadsIPv6)
		c.Mend = "docs/security.md#ipv6"
	}
	return c
}
