# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# restic itself is static but for the C library; targets by SFTP want ssh, and the rest is what that is linked to.
packages=(restic openssh-client libcom-err2 libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0
  libpcre2-8-0 libselinux1 libssl3t64 libzstd1 zlib1g)
build() {
  version=$(of_debian restic restic)
  # Whoever backs up has the application's number, and ssh wants to know its name and home.
  add_user backup 10001 /tmp
}
