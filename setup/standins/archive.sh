# shellcheck shell=bash
# How stand-ins get packages out of Debian's archive, with its signatures
# checked. Source it with lib.sh, and set:
#
#   suites security   what of the archive
#   arch              for which processor, in Debian's words
#   cache work        a folder to keep downloads in, and one to throw away

# Only for downloading; the images themselves name Debian's own address.
mirror=${APT_MIRROR:-http://deb.debian.org}
mirror=${mirror%/}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# For apt here and for the one of mmdebstrap.
apt_options=(
  'APT::Install-Recommends "false";'
  'Acquire::Languages "none";'
  'Acquire::Retries "3";'
  # Archives on a disk, lagging mirrors and machines with a wrong clock are what
  # this is for. The signatures are checked all the same.
  'Acquire::Check-Valid-Until "false";'
  'Acquire::Check-Date "false";'
)

# The archive as lines of sources.list. (A desktop's apt would fetch icons as well.)
sources() {
  local suite options="[signed-by=$keyring target=Packages]"
  # shellcheck disable=SC2154 # set by who sources this
  for suite in "${suites[@]}"; do echo "deb $options $mirror/debian $suite main"; done
  # shellcheck disable=SC2154
  echo "deb $options $mirror/debian-security $security main"
}

# An apt that keeps everything below $cache, for a machine with nothing installed.
# shellcheck disable=SC2154
configure_apt() {
  mkdir -p "$cache"/{lists,archives,wheels}/partial
  : >"$work/status"
  sources >"$work/sources.list"
  printf '%s\n' "${apt_options[@]}" \
    "APT::Architecture \"$arch\";" "APT::Architectures \"$arch\";" 'APT::Sandbox::User "root";' 'DPkg::Lock::Timeout "600";' \
    "Dir::State \"$cache\";" "Dir::State::status \"$work/status\";" \
    "Dir::Cache \"$cache\";" 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
    "Dir::Etc::sourcelist \"$work/sources.list\";" 'Dir::Etc::sourceparts "-";' >"$work/apt.conf"
  export APT_CONFIG=$work/apt.conf
}

# Without a network, the lists of the last time are used.
fetch_lists() {
  configure_apt
  echo "package lists from $mirror"
  apt-get --quiet update
  # Away with what the archive no longer offers, or the folder grows for ever.
  apt-get --quiet autoclean
}
