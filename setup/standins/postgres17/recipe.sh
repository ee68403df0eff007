# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# The version before, which testing has no more: stable's server and clients, with testing's
# libraries, and those that only they are linked to.
# shellcheck source=setup/standins/postgres/recipe.sh
. "$here/postgres17/postgres.sh"
for name in "${!packages[@]}"; do case ${packages[name]} in postgresql-*) unset "packages[name]" ;; esac; done
stable=(postgresql-17 postgresql-client-17 libicu76 liblzma5 libxml2)

build() {
  local lib=$tool/usr/lib/postgresql/17/lib bin=$tool/usr/lib/postgresql/17/bin program
  version=$(of_debian PostgreSQL postgresql-17 trixie)
  arrange 17
  rm -r "$lib/bitcode" "$lib"/llvmjit*
  # Beside the server, so that a copy of its folder works in an image of the next version, as it
  # does with the official images, which are of one Debian.
  mkdir "$lib/stable"
  mv "$tool"/usr/lib/*-linux-gnu/lib{icu*.so.76,xml2.so.2,lzma.so.5}* "$lib/stable/"
  for program in postgres initdb; do
    mv "$bin/$program" "$bin/$program.bin"
    printf '%s\n' '#!/bin/sh' "LD_LIBRARY_PATH=/usr/lib/postgresql/17/lib/stable exec /usr/lib/postgresql/17/bin/$program.bin \"\$@\"" >"$bin/$program"
    chmod 755 "$bin/$program"
  done
}
