#!/usr/bin/env bash
# Builds the two layers of a small stand-in, out of unpacked Debian packages:
#
#   layers.sh prometheus|alertmanager|node-exporter|blackbox-exporter|cadvisor|grafana|valkey|redis_exporter|restic|rest-server|litestream|node \
#     ARCHITECTURE FOLDER
#
# FOLDER/base.tar is the same for all of them, to the byte, so that the engine
# keeps it once: C library, busybox, certificates, time zones. FOLDER/tool.tar is
# the tool. Nothing of the result is run here, and no root is needed.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../lib.sh"
# shellcheck source=setup/standins/archive.sh
. "$here/archive.sh"

kind=$1 arch=$2 out=$3
suites=(forky)
security=forky-security
cache="$(cache_dir)/debian/tools-$arch"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=$work/base tool=$work/tool debs=$work/debs
mkdir "$base" "$tool" "$debs"

# Those of busybox that a health check or a person in a container asks for.
applets=(sh ash wget cat ls ps id env printenv date sleep echo printf test true false '[' grep sed awk head tail
  sort uniq wc cut tr xargs find stat du df mkdir rmdir rm cp mv ln chmod chown touch kill top vi less hostname
  nslookup nc ping ip netstat which basename dirname readlink mktemp tar gzip gunzip sha256sum)

base_packages=(base-files busybox ca-certificates libc6 tzdata)
case $kind in
  prometheus) tool_packages=(prometheus promtool) ;;
  alertmanager) tool_packages=(prometheus-alertmanager) ;;
  node-exporter) tool_packages=(prometheus-node-exporter) ;;
  blackbox-exporter) tool_packages=(prometheus-blackbox-exporter) ;;
  cadvisor | litestream) tool_packages=() ;;
  # nginx and what it is linked to.
  grafana) tool_packages=(nginx libcrypt1 libpcre2-8-0 libssl3t64 libzstd1 zlib1g) ;;
  # The server's program is in the tools' package. The rest is what it is linked to.
  valkey)
    tool_packages=(valkey-server valkey-tools libatomic1 libgcc-s1 libjemalloc2 liblzf1 libssl3t64 libstdc++6 libsystemd0
      libzstd1 zlib1g)
    ;;
  redis_exporter) tool_packages=(prometheus-redis-exporter) ;;
  # restic itself is static but for the C library; targets by SFTP want ssh, and the rest is what that is linked to.
  restic)
    tool_packages=(restic openssh-client libcom-err2 libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0
      libpcre2-8-0 libselinux1 libssl3t64 libzstd1 zlib1g)
    ;;
  rest-server) tool_packages=(restic-rest-server) ;;
  # What it is linked to, and those of its own modules that Debian has in packages beside it. No npm.
  node)
    tool_packages=(nodejs libnode137 libada-url0-3 libbrotli1 libcares2 libgcc-s1 libhdr-histogram6 libicu78 libllhttp9.4
      libnghttp2-14 libsimdjson33 libsimdutf35 libsqlite3-0 libssl3t64 libstdc++6 libuv1t64 libzstd1 zlib1g node-acorn
      node-minimatch node-brace-expansion node-balanced-match node-undici node-llhttp)
    ;;
  *) fail "layers.sh: no stand-in is called '$kind'" ;;
esac

# --- packages -----------------------------------------------------------------

# Into $debs, as PACKAGE.deb: links to the newest that the archive offers.
download() (
  local name
  fetch_lists
  (cd "$cache/archives" && apt-get --quiet download "$@")
  # Their names, asked for where none is: apt does not tell those it finds.
  cd "$debs"
  apt-get --quiet --print-uris download "$@" | while read -r _ name _; do
    ln -s "$cache/archives/$name" "${name%%_*}.deb"
  done
)

# unpack FOLDER PACKAGES...: without what only a whole Debian wants of them.
unpack() {
  local folder=$1 name
  shift
  for name in "$@"; do
    echo "unpack $name"
    dpkg-deb --fsys-tarfile "$debs/$name.deb" | tar -x -C "$folder" --no-same-owner \
      --exclude='./usr/share/doc/*/[!c]*' --exclude='./usr/share/doc/*/changelog*' --exclude='./usr/share/man' \
      --exclude='./usr/share/info' --exclude='./usr/share/locale' --exclude='./usr/share/lintian' --exclude='./usr/share/bug' \
      --exclude='./usr/share/bash-completion' --exclude='./usr/share/initramfs-tools' --exclude='./usr/lib/systemd' \
      --exclude='./etc/init.d' --exclude='./etc/default' --exclude='./etc/logrotate.d' --exclude='./etc/cron*' --exclude='./var'
  done
}

version_of() { dpkg-deb --field "$debs/$1.deb" Version | sed 's/^[0-9]*://; s/[+-].*//'; }

# --- layers ---------------------------------------------------------------------

# pack FOLDER OUT.tar [USER PATH...]: all of root's, but the paths, which are of
# the user with this number. The same files always make the same archive.
pack() {
  local folder=$1 tar=$2 user=${3-}
  local options=(--sort=name --mtime=@0 --numeric-owner --format=gnu -C "$folder")
  tar -cf "$tar" "${options[@]}" --owner=0 --group=0 .
  if [ -z "$user" ]; then return; fi
  shift 3
  tar -rf "$tar" "${options[@]}" --owner="${user%:*}" --group="${user#*:}" "$@"
}

build_base() {
  local name
  unpack "$base" "${base_packages[@]}"
  for name in "${applets[@]}"; do ln -s busybox "$base/usr/bin/$name"; done
  # What ca-certificates would do when it is installed.
  mkdir -p "$base/etc/ssl/certs"
  find "$base/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort | xargs cat >"$base/etc/ssl/certs/ca-certificates.crt"
  rm -r "$base/usr/share/ca-certificates" "$base/usr/share/base-files"
  printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/home:/bin/false' >"$base/etc/passwd"
  printf '%s\n' 'root:x:0:' 'nobody:x:65534:' >"$base/etc/group"
  echo 'hosts: files dns' >"$base/etc/nsswitch.conf"
  mkdir -p "$base/var/run" "$base/tmp"
  chmod 1777 "$base/tmp"
  pack "$base" "$out/base.tar"
}

# Out of the Go module proxy: Debian has no cAdvisor, and the proxy not its main.
cadvisor_version=$(sed -n 's|^[[:space:]]*github.com/google/cadvisor ||p' "$here/cadvisor/go.mod")
build_cadvisor() {
  find_go cAdvisor
  compile cadvisor "$tool/usr/bin/cadvisor" . -ldflags "-s -w -X github.com/google/cadvisor/lib/version.Version=$cadvisor_version"
}

# find_go WHAT: where set-up puts it, for shells that do not have it on the PATH.
find_go() {
  have go || PATH=$(cache_dir)/toolchain/go/bin:$PATH
  have go || fail "there is no Go to compile $1 with" "make pulumi gets it"
}

# compile FOLDER OUT PACKAGE FLAGS...: a program of the module in a folder beside this one.
compile() (
  local folder=$1 result=$2 package=$3
  shift 3
  cd "$here/$folder"
  # A workspace above the repository is not meant for this module. Nor is the
  # machine meant to stand still.
  GOWORK=off CGO_ENABLED=0 GOOS=linux GOARCH=$arch nice -n 19 go build -v -trimpath -buildvcs=false "$@" -o "$result" "$package"
)

# Debian has no Litestream, either. It has the clients of all clouds, which take minutes to
# compile: that is done once on a machine, for what it is made of, and not with each new recipe.
litestream_version=$(sed -n 's|^require github.com/benbjohnson/litestream v||p' "$here/litestream/go.mod")
build_litestream() {
  local built flags=(-tags "osusergo,netgo,sqlite_omit_load_extension" -ldflags "-s -w -X main.Version=$litestream_version")
  find_go Litestream
  built="$(cache_dir)/litestream"
  mkdir -p "$built"
  built=$built/$arch-$(cd "$here/litestream" && { cat go.mod go.sum && echo "${flags[@]}" && GOWORK=off go env GOVERSION; } | sha256sum | cut -c 1-16)
  if [ ! -x "$built" ]; then
    compile litestream "$built.$$" github.com/benbjohnson/litestream/cmd/litestream "${flags[@]}"
    mv "$built.$$" "$built" # whole, or not there
  fi
  mkdir -p "$tool/usr/local/bin"
  cp "$built" "$tool/usr/local/bin/litestream"
}

# Debian's names and places, made those of the official images.
build_tool() {
  local version owned=()
  if [ ${#tool_packages[@]} -gt 0 ]; then unpack "$tool" "${tool_packages[@]}"; fi
  mkdir -p "$tool/etc" "$tool/usr/bin"
  case $kind in
    prometheus)
      version="prometheus $(version_of prometheus)"
      owned=(65534:65534 prometheus etc/prometheus)
      mkdir "$tool/prometheus"
      ;;
    alertmanager)
      version="alertmanager $(version_of prometheus-alertmanager)"
      owned=(65534:65534 alertmanager etc/alertmanager)
      mv "$tool/usr/bin/prometheus-alertmanager" "$tool/usr/bin/alertmanager"
      mv "$tool/etc/prometheus" "$tool/etc/alertmanager"
      mkdir "$tool/alertmanager"
      ;;
    node-exporter)
      version="node_exporter $(version_of prometheus-node-exporter)"
      mv "$tool/usr/bin/prometheus-node-exporter" "$tool/usr/bin/node_exporter"
      ;;
    blackbox-exporter)
      version="blackbox_exporter $(version_of prometheus-blackbox-exporter)"
      mv "$tool/usr/bin/prometheus-blackbox-exporter" "$tool/usr/bin/blackbox_exporter"
      mkdir "$tool/etc/blackbox_exporter"
      mv "$tool/etc/prometheus/blackbox.yml" "$tool/etc/blackbox_exporter/config.yml"
      rmdir "$tool/etc/prometheus"
      ;;
    cadvisor)
      build_cadvisor
      version="our own main around cAdvisor ${cadvisor_version#v}"
      ;;
    litestream)
      build_litestream
      version="litestream $litestream_version (from its Go modules)"
      ;;
    grafana)
      version="no Grafana: a placeholder page"
      mkdir -p "$tool/etc/placeholder" "$tool/usr/share/grafana" "$tool/var/lib/grafana" "$tool/var/log/grafana" \
        "$tool/etc/grafana/provisioning/"{alerting,dashboards,datasources,plugins}
      cp "$here/grafana/nginx.conf" "$here/grafana/index.html" "$tool/etc/placeholder/"
      cp "$here/grafana/run.sh" "$tool/"
      owned=(472:0 etc/grafana var/lib/grafana var/log/grafana)
      ;;
    valkey)
      version="valkey $(version_of valkey-server)"
      owned=(999:999 data)
      mkdir -m 1777 "$tool/data"
      # The official image has no configuration of its own.
      rm -r "$tool/etc/valkey"
      ;;
    redis_exporter)
      version="redis_exporter $(version_of prometheus-redis-exporter)"
      mv "$tool/usr/bin/prometheus-redis-exporter" "$tool/redis_exporter"
      ;;
    restic)
      version="restic $(version_of restic)"
      # Whoever backs up has the application's number, and ssh wants to know its name and home.
      sed '$a backup:x:10001:10001::/tmp:/bin/sh' "$base/etc/passwd" >"$tool/etc/passwd"
      sed '$a backup:x:10001:' "$base/etc/group" >"$tool/etc/group"
      ;;
    rest-server)
      version="rest-server $(version_of restic-rest-server)"
      owned=(10001:10001 data)
      mv "$tool/usr/bin/restic-rest-server" "$tool/usr/bin/rest-server"
      mkdir -m 1777 "$tool/data"
      ;;
    node)
      version="node $(version_of nodejs)"
      owned=(1000:1000 home/node)
      mkdir -p "$tool/home/node"
      sed '$a node:x:1000:1000::/home/node:/bin/sh' "$base/etc/passwd" >"$tool/etc/passwd"
      sed '$a node:x:1000:' "$base/etc/group" >"$tool/etc/group"
      ;;
  esac
  case $kind in cadvisor | grafana | litestream) ;; *) version="$version (Debian ${suites[0]})" ;; esac
  echo "$version" >"$tool/etc/standin-version"
  pack "$tool" "$out/tool.tar" ${owned[@]+"${owned[@]}"}
}

download "${base_packages[@]}" ${tool_packages[@]+"${tool_packages[@]}"}
build_base
build_tool
