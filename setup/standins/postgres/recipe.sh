# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# The server, its clients, and what the platform adds to the official image; the rest is what these are
# linked to. No JIT (a package of its own, with all of LLVM), and none of Debian's wrappers around clusters.
packages=(postgresql-18 postgresql-client-18 pgbackrest pgbouncer libaudit1 libbz2-1.0 libc-bin libcap-ng0 libcares2 libcom-err2
  libevent-2.1-7t64 libgcc-s1 libgcrypt20 libgpg-error0 libgssapi-krb5-2 libicu78 libk5crypto3 libkeyutils1 libkrb5-3
  libkrb5support0 libldap2 liblz4-1 libnuma1 libpam0g libpcre2-8-0 libpq5 libreadline8t64 libsasl2-2 libselinux1
  libssh2-1t64 libssl3t64 libstdc++6 libsystemd0 libtinfo6 liburing2 libuuid1 libxml2-16 libxslt1.1 libxxhash0 libzstd1
  util-linux zlib1g)

build() {
  version=$(of_debian PostgreSQL postgresql-18)
  arrange 18
}

# arrange VERSION: names, users and folders of the official image.
arrange() {
  # Debian has the others, too, and a server tells its clients apart by these names.
  add_user postgres 999 /var/lib/postgresql
  add_user proxy 13 /bin
  # Of util-linux only what busybox does not have, and of the C library the locale C.UTF-8.
  find "$tool/usr/bin" "$tool/usr/sbin" ! -type d ! -name flock ! -name locale ! -name pgbackrest ! -name pgbouncer -delete
  rm -rf "$tool/etc/pam.d" "$tool/usr/libexec" "$tool/usr/share/util-linux" "$tool/usr/share/postgresql/$1/man"
  mkdir -p "$tool/var/lib" "$tool/var/run"
  mkdir -m 1777 "$tool/var/lib/postgresql"
  mkdir -m 3777 "$tool/var/run/postgresql"
  owned=(999:999 var/lib/postgresql var/run/postgresql)
  sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" "$tool/usr/share/postgresql/$1/postgresql.conf.sample"
  # What only Debian's own clusters read.
  rm -rf "$tool/etc/postgresql" "$tool/etc/pgbouncer" "$tool/etc/pgbackrest.conf" "$tool/usr/share/postgresql-common"
}
