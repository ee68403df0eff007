# shellcheck shell=bash disable=SC2034,SC2154 # ../layers.sh sources this
# What it is linked to, and one font: without any it draws no letter.
packages=(chromium-headless-shell chromium-common fontconfig-config fonts-dejavu-core libasound2t64 libasyncns0 libatk1.0-0t64
  libatomic1 libatspi2.0-0t64 libblkid1 libbrotli1 libbz2-1.0 libdav1d7 libdbus-1-3 libdouble-conversion3 libdrm2 libexpat1
  libffi8 libflac14 libfontconfig1 libfreetype6 libgbm1 libgcc-s1 libglib2.0-0t64 libgraphite2-3 libharfbuzz-subset0
  libharfbuzz0b libjpeg62-turbo liblcms2-2 libminizip1t64 libmount1 libmp3lame0 libmpg123-0t64 libnspr4 libnss3 libogg0
  libopenh264-8 libopenjp2-7 libopus0 libpcre2-8-0 libpng16-16t64 libpulse0 libselinux1 libsndfile1 libsqlite3-0 libstdc++6 libsystemd0
  libudev1 libvorbis0a libvorbisenc2 libx11-6 libx11-xcb1 libxau6 libxcb1 libxcomposite1 libxdamage1 libxdmcp6 libxext6
  libxfixes3 libxi6 libxkbcommon0 libxnvctrl0 libxrandr2 libxrender1 libxres1 libzstd1 zlib1g)
build() {
  version=$(of_debian chromium-headless-shell chromium-headless-shell)
  # The layers that find faults in programs for graphics cards.
  rm -f "$tool"/usr/lib/chromium/libVkLayer_* "$tool"/usr/lib/chromium/libVkICD_mock_*
  mkdir "$tool/headless-shell"
  ln -s ../usr/lib/chromium/chromium-headless-shell "$tool/headless-shell/headless-shell"
}
