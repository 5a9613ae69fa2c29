#!/bin/sh
# census-tools.sh: package managers that few machines have, into WAYBILL_CENSUS_TOOLS, for census-trees.sh. Debian
# packages are unpacked there, never installed. What is there already is left alone.
set -eu
tools=$WAYBILL_CENSUS_TOOLS
mkdir -p "$tools"

if [ ! -e "$tools/pip.done" ]; then
  python3 -m venv "$tools/pip"
  "$tools/pip/bin/pip" install -q conan uv pipenv py-rattler portage
  touch "$tools/pip.done"
fi

if [ ! -e "$tools/npm.done" ]; then
  npm install -q --prefix "$tools/npm" yarn@1 pnpm bun deno
  touch "$tools/npm.done"
fi

if [ ! -e "$tools/deb.done" ]; then
  mkdir -p "$tools/deb/files" "$tools/deb/root"
  cd "$tools/deb/files"
  erlang=$(printf 'erlang-%s ' base crypto asn1 public-key ssl inets parsetools tools runtime-tools syntax-tools \
    dev eunit edoc xmerl common-test dialyzer snmp ssh)
  php=$(php -r 'echo "php", PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION, "-xml";')
  apt-get download -q r-base-core libblas3 liblapack3 libgfortran5 libpaper1 libpaper-utils php-pear "$php" \
    ruby-bundler wordpress rebar3 elixir $erlang
  for one in *.deb; do dpkg-deb -x "$one" "$tools/deb/root"; done
  root=$tools/deb/root
  # Both say where they were installed: there is where they are.
  sed -i "s#ROOTDIR=/usr/lib/erlang#ROOTDIR=$root/usr/lib/erlang#" "$root/usr/lib/erlang/bin/erl"
  home=$root/usr/lib/R
  sed -i "s#^R_HOME_DIR=.*#R_HOME_DIR=$home#; s#_DIR=/usr/share/R#_DIR=$root/usr/share/R#" "$home/bin/R"
  for one in "$home"/etc/*; do
    target=$(readlink "$one") || continue
    rm "$one"
    if [ -e "$root$target" ]; then cp "$root$target" "$one"; fi
  done
  cp "$root/etc/R/ldpaths" "$home/etc/ldpaths"
  cp "$home/etc/Renviron.ucf" "$home/etc/Renviron"
  touch "$tools/deb.done"
fi

if [ ! -e "$tools/kernel.done" ]; then
  mkdir -p "$tools/kernel/files" "$tools/kernel/tree"
  cd "$tools/kernel/files"
  latest=linux-image-cloud-$(dpkg --print-architecture)
  apt-get download -q kmod "$(apt-cache depends "$latest" | sed -n 's/^ *Depends: //p' | head -n 1)"
  for one in *.deb; do dpkg-deb -x "$one" "$tools/kernel/tree"; done
  # The program does what the name says by which it is called.
  ln -sf tree/bin/kmod "$tools/kernel/modinfo"
  touch "$tools/kernel.done"
fi
