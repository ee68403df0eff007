# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# Out of the Go module proxy: Debian has no cAdvisor, and the proxy not its main.
packages=()
build() {
  local number
  number=$(sed -n 's|^[[:space:]]*github.com/google/cadvisor ||p' "$here/cadvisor/go.mod")
  find_go cAdvisor
  compile cadvisor "$tool/usr/bin/cadvisor" . -ldflags "-s -w -X github.com/google/cadvisor/lib/version.Version=$number"
  version="our own main around cAdvisor ${number#v}"
}
