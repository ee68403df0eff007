# shellcheck shell=bash
# Programs out of Debian's packages, for what this machine has not got, without installing them. Source it after setup/lib.sh.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=${APT_MIRROR:-http://deb.debian.org}

# can_unpack: whether debian_package can work here.
can_unpack() { is_debian && [ -e "$keyring" ]; }

# debian_package FOLDER NAME: what Debian 13's package has in it is in FOLDER/package. The apt is one of its own, with
# that as its only source.
debian_package() {
  local folder=$1 name=$2 arch
  arch=$(dpkg --print-architecture)
  rm -rf "$folder"
  mkdir -p "$folder"/{lists,archives}/partial
  cd "$folder" || return
  : >status
  echo "deb [signed-by=$keyring] ${mirror%/}/debian trixie main" >sources.list
  printf '%s\n' "APT::Architecture \"$arch\";" "APT::Architectures \"$arch\";" 'APT::Sandbox::User "root";' 'Debug::NoLocking "true";' \
    'Acquire::Languages "none";' 'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";' \
    "Dir::State \"$PWD\";" "Dir::State::status \"$PWD/status\";" "Dir::Cache \"$PWD\";" 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
    "Dir::Etc::sourcelist \"$PWD/sources.list\";" 'Dir::Etc::sourceparts "-";' >apt.conf
  APT_CONFIG=$PWD/apt.conf apt-get --quiet update &&
    APT_CONFIG=$PWD/apt.conf apt-get --quiet download "$name" &&
    dpkg-deb --extract "$name"_*.deb package
}
