#!/bin/sh
# census-trees.sh NAME FOLDER: what the cataloguer NAME reads, made in FOLDER/tree by the package manager it belongs to.
# Prints the manager, then what it lists itself: a name and a version a line. Managers that no machine has lie in
# WAYBILL_CENSUS_TOOLS, put there by census-tools.sh; nothing is installed into the system.
set -eu
name=$1 work=$2 tree=$2/tree tools=$WAYBILL_CENSUS_TOOLS
debs=$tools/deb/root
mkdir -p "$tree"
cd "$work"

release() {
  mkdir -p "$tree/etc"
  printf "$1" > "$tree/etc/os-release"
}

says() {
  echo "$1"
}

javascript() {
  echo '{"name":"app","version":"1.0.0","dependencies":{"is-odd":"3.0.1"}}' > "$tree/package.json"
}

python_project() {
  printf '[project]\nname = "app"\nversion = "1.0.0"\nrequires-python = ">=3.11"\ndependencies = ["idna==3.10"]\n' \
    > "$tree/pyproject.toml"
}

git_dependency() {
  mkdir -p dep/src
  printf '{application, dep, [{vsn, "1.0.0"}]}.\n' > dep/src/dep.app.src
  git -C dep init -q . && git -C dep add .
  git -C dep -c user.name=a -c user.email=a@example.com commit -qm first && git -C dep tag v1
}

erlang() {
  export PATH="$debs/usr/lib/erlang/bin:$debs/usr/lib/elixir/bin:$PATH" HOME="$work/home"
  export LD_LIBRARY_PATH="$debs/usr/lib/x86_64-linux-gnu" ERL_LIBS="$debs/usr/share/rebar3/lib"
  mkdir -p "$HOME"
}

gem_home() {
  mkdir -p src "$1"
  cat > src/demo.gemspec <<END
Gem::Specification.new do |s|
  s.name = 'demo'; s.version = '1.2.3'; s.summary = 'a gem'; s.authors = ['A']; s.license = 'MIT'; s.files = []
end
END
  (cd src && gem build -q demo.gemspec > build.log 2>&1)
  gem install -q --local --no-document --install-dir "$1" src/demo-1.2.3.gem > install.log 2>&1
}

case $name in
dpkg)
  release 'ID=debian\nVERSION_ID="12"\n'
  mkdir -p pkg/DEBIAN pkg/usr/share/demo "$tree/var/lib/dpkg/info" "$tree/var/lib/dpkg/updates"
  echo hello > pkg/usr/share/demo/f
  printf 'Package: demo\nVersion: 1:2.0-3+b1\nSource: demo-src (1:2.0-3)\nArchitecture: amd64\nMaintainer: A <a@example.com>\nDescription: d\n' \
    > pkg/DEBIAN/control
  dpkg-deb -b pkg demo.deb > build.log
  touch "$tree/var/lib/dpkg/status"
  dpkg --root="$tree" --force-script-chrootless --force-architecture -i demo.deb > install.log 2>&1
  says "dpkg $(dpkg-query --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"
  dpkg-query --admindir="$tree/var/lib/dpkg" -W -f '${Package} ${Version}\n'
  ;;
apk)
  release 'ID=alpine\nVERSION_ID=3.20.1\n'
  mkdir -p files/usr/share/demo
  echo hello > files/usr/share/demo/f
  facts='-I license:MIT -I description:d -I origin:demo-src -I arch:x86_64'
  "$WAYBILL_APK" mkpkg -I name:demo -I version:1.2_rc3-r4 $facts -F files -o demo.apk > build.log 2>&1
  "$WAYBILL_APK" mkpkg -I name:other -I version:2.0-r0 $facts -I depends:demo -o other.apk >> build.log 2>&1
  "$WAYBILL_APK" --root "$tree" --no-network --no-scripts --allow-untrusted --no-cache --force-non-repository \
    --initdb --arch x86_64 add ./demo.apk ./other.apk > install.log 2>&1
  says "$("$WAYBILL_APK" --version | sed -n 's/^\(apk-tools [0-9.]*\),.*/\1/p')"
  "$WAYBILL_APK" --root "$tree" --no-network info -v | sed 's/-\([0-9][^-]*-r[0-9]*\)$/ \1/'
  ;;
rpm)
  release 'ID=rocky\nID_LIKE="rhel"\nVERSION_ID="9.4"\n'
  printf 'Name: demo\nEpoch: 1\nVersion: 1.2\nRelease: 3\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%%description\nd\n%%files\n' \
    > demo.spec
  rpmbuild -bb --quiet --define "_topdir $work/build" demo.spec > build.log 2>&1
  rpm --root "$tree" --dbpath /var/lib/rpm -i --justdb --nodeps build/RPMS/noarch/*.rpm
  says "$(rpm --version | sed 's/ version//;s/^RPM/rpm/')"
  rpm --root "$tree" --dbpath /var/lib/rpm -qa --qf '%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n'
  ;;
alpm)
  release 'ID=arch\n'
  mkdir -p pkg/usr/share/demo "$tree/var/lib/pacman"
  echo hello > pkg/usr/share/demo/f
  printf 'pkgname = demo\npkgbase = demo-base\npkgver = 1:2.0-3\npkgdesc = d\nurl = https://example.com\nbuilddate = 1700000000\npackager = A <a@example.com>\nsize = 6\narch = any\nlicense = MIT\n' \
    > pkg/.PKGINFO
  tar -czf demo-2.0-3-any.pkg.tar.gz -C pkg .PKGINFO usr
  own="--root $tree --dbpath $tree/var/lib/pacman --config /dev/null"
  pacman $own --cachedir "$work/cache" --noconfirm -dd -U demo-2.0-3-any.pkg.tar.gz > install.log 2>&1
  says "pacman $(pacman --version | sed -n 's/.*Pacman v\([0-9.]*\).*/\1/p')"
  pacman $own -Q
  ;;
portage)
  # Portage works below the folder that it was installed in.
  prefix=$tree$tools/pip
  mkdir -p repo/metadata repo/profiles/base repo/app-misc/demo "$prefix" etc/portage tmp dist pkg
  echo demo > repo/profiles/repo_name
  echo app-misc > repo/profiles/categories
  echo amd64 > repo/profiles/arch.list
  echo 8 > repo/profiles/base/eapi
  printf 'masters =\nthin-manifests = true\nsign-manifests = false\n' > repo/metadata/layout.conf
  printf 'ARCH="amd64"\nACCEPT_KEYWORDS="amd64"\nCHOST="x86_64-pc-linux-gnu"\n' > repo/profiles/base/make.defaults
  cat > repo/app-misc/demo/demo-1.2_p3-r4.ebuild <<'END'
EAPI=8
DESCRIPTION="a package"
HOMEPAGE="https://example.com"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
S="${WORKDIR}"
src_install() { insinto /usr/share/demo; newins - f <<< hello; }
END
  ln -s "$work/repo/profiles/base" etc/portage/make.profile
  printf '[DEFAULT]\nmain-repo = demo\n[demo]\nlocation = %s\n' "$work/repo" > etc/portage/repos.conf
  off='-sandbox -usersandbox -userpriv -userfetch -network-sandbox -pid-sandbox -ipc-sandbox -mount-sandbox -news nostrip'
  printf 'FEATURES="%s"\nPORTAGE_TMPDIR="%s"\nPORTAGE_USERNAME="root"\nPORTAGE_GRPNAME="root"\nDISTDIR="%s"\nPKGDIR="%s"\nROOT="%s"\n' \
    "$off" "$work/tmp" "$work/dist" "$work/pkg" "$tree" > etc/portage/make.conf
  export PORTAGE_CONFIGROOT="$work" PATH="$tools/pip/bin:$PATH"
  ebuild=repo/app-misc/demo/demo-1.2_p3-r4.ebuild
  ebuild $ebuild manifest > manifest.log 2>&1
  ebuild $ebuild clean merge > merge.log 2>&1
  rm -rf "$prefix/tmp"
  says "portage $(pip show portage | sed -n 's/^Version: //p')"
  ROOT=$tree portageq match "$prefix" app-misc/demo | sed 's/-\([0-9]\)/ \1/'
  ;;
npm)
  javascript
  (cd "$tree" && npm install -q --ignore-scripts > "$work/install.log" 2>&1)
  says "npm $(npm --version)"
  (cd "$tree" && npm ls --all --parseable --long | sed 's/^[^:]*:\(.*\)@\([^:]*\).*/\1 \2/')
  rm "$tree/package-lock.json"
  ;;
python)
  pip install -q --no-deps --no-compile --target "$tree/usr/lib/python3/site-packages" idna==3.10 > install.log 2>&1
  says "pip $(pip --version | sed 's/pip \([0-9.]*\).*/\1/')"
  pip freeze --path "$tree/usr/lib/python3/site-packages" | sed 's/==/ /'
  ;;
gem)
  gem_home "$tree/var/lib/gems/3.1.0"
  says "gem $(gem --version)"
  GEM_HOME=$tree/var/lib/gems/3.1.0 GEM_PATH=$tree/var/lib/gems/3.1.0 gem list --local demo | sed -n 's/^\(.*\) (\(.*\))$/\1 \2/p'
  ;;
java | pom)
  cat > pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>com.example</groupId><artifactId>demo</artifactId><version>1.2.3</version>
<dependencies><dependency><groupId>commons-io</groupId><artifactId>commons-io</artifactId>
<version>2.11.0</version></dependency></dependencies></project>
END
  mvn -q -B package dependency:copy-dependencies > build.log 2>&1
  says "Maven $(mvn -v | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p')"
  echo 'com.example:demo 1.2.3'
  mvn -q -B dependency:list -DoutputFile="$work/list" > list.log 2>&1
  sed -n 's/^ *\([^: ]*\):\([^:]*\):jar:\([^:]*\):.*/\1:\2 \3/p' list
  if [ "$name" = pom ]; then cp pom.xml "$tree"; else cp target/*.jar target/dependency/*.jar "$tree"; fi
  ;;
go)
  printf 'module example.com/tool\n\ngo 1.21\n' > go.mod
  printf 'package main\n\nimport "golang.org/x/text/language"\n\nfunc main() { println(language.English.String()) }\n' > main.go
  go get golang.org/x/text@v0.14.0 2> get.log
  go build -o "$tree/tool" .
  says "$(go version | cut -d' ' -f3 | sed 's/^go/go /')"
  echo "stdlib $(go version | cut -d' ' -f3 | sed 's/^go//')"
  echo 'example.com/tool '
  go version -m "$tree/tool" | sed -n 's/^\tdep\t\([^\t]*\)\t\([^\t]*\).*/\1 \2/p'
  ;;
go-mod)
  printf 'module example.com/tool\n\ngo 1.21\n' > go.mod
  printf 'package main\n\nimport "golang.org/x/text/language"\n\nfunc main() { println(language.English.String()) }\n' > main.go
  go get golang.org/x/text@v0.14.0 2> get.log
  cp go.mod "$tree"
  says "$(go version | cut -d' ' -f3 | sed 's/^go/go /')"
  go list -m -f '{{if not .Main}}{{.Path}} {{.Version}}{{end}}' all | grep 'golang.org/x/text '
  ;;
rust | cargo-lock)
  cargo -q new app --vcs none 2> new.log
  echo 'itoa = "=1.0.11"' >> app/Cargo.toml
  if [ "$name" = rust ]; then
    (cd app && cargo auditable build -q --release 2> build.log)
    cp app/target/release/app "$tree"
    says "cargo auditable, $(cargo --version | cut -d' ' -f1,2)"
  else
    (cd app && cargo -q generate-lockfile)
    cp app/Cargo.lock "$tree"
    says "$(cargo --version | cut -d' ' -f1,2)"
  fi
  cd app && cargo tree --prefix none --format '{p}' | sed 's/^\([^ ]*\) v\([^ ]*\).*/\1 \2/'
  ;;
composer | composer-lock)
  mkdir -p dep app
  echo '{"name":"a/dep","version":"1.0.0","license":"MIT"}' > dep/composer.json
  echo '{"name":"a/app","repositories":[{"packagist":false},{"type":"path","url":"../dep","options":{"symlink":false}}],"require":{"a/dep":"1.0.0"}}' \
    > app/composer.json
  export COMPOSER_HOME="$work/home" COMPOSER_ALLOW_SUPERUSER=1
  composer -d app install -q --no-interaction
  if [ "$name" = composer ]; then cp -r app/vendor "$tree"; else cp app/composer.lock "$tree"; fi
  says "Composer $(composer --version 2> /dev/null | sed -n 's/.*version \([0-9.]*\).*/\1/p')"
  composer -d app show 2> /dev/null | sed 's/ *$//'
  ;;
pear)
  mkdir -p src
  cat > src/package.xml <<'END'
<?xml version="1.0"?>
<package version="2.0" xmlns="http://pear.php.net/dtd/package-2.0">
 <name>Demo</name><channel>pear.php.net</channel><summary>s</summary><description>d</description>
 <lead><name>A</name><user>a</user><email>a@example.com</email><active>yes</active></lead>
 <date>2024-01-01</date><version><release>1.2.3</release><api>1.2.0</api></version>
 <stability><release>stable</release><api>stable</api></stability><license>MIT</license><notes>n</notes>
 <contents><dir name="/"><file name="Demo.php" role="php"/></dir></contents>
 <dependencies><required><php><min>5.2</min></php><pearinstaller><min>1.4</min></pearinstaller></required></dependencies>
 <phprelease/>
</package>
END
  echo '<?php' > src/Demo.php
  export HOME="$work/home" PHP_PEAR_SYSCONF_DIR="$work/home"
  mkdir -p "$HOME"
  pear() {
    php -d extension="$(find "$debs" -name xml.so)" -d error_reporting=0 -d include_path="$debs/usr/share/php" \
      "$debs/usr/share/php/pearcmd.php" "$@"
  }
  pear config-create "$tree" "$HOME/.pearrc" > config.log
  pear install --offline --force src/package.xml > install.log 2>&1
  says "PEAR $(pear version | sed -n 's/PEAR Version: //p')"
  pear list | awk '$3 == "stable" { print $1, $2 }'
  ;;
conan | conan-lock)
  export CONAN_HOME="$tree/root/.conan2" PATH="$tools/pip/bin:$PATH"
  if [ "$name" = conan-lock ]; then export CONAN_HOME="$work/home"; fi
  mkdir -p dep app
  printf 'from conan import ConanFile\n\n\nclass P(ConanFile):\n    name = "dep"\n    version = "1.2.11"\n' > dep/conanfile.py
  printf 'from conan import ConanFile\n\n\nclass P(ConanFile):\n    name = "app"\n    version = "2.0"\n    user = "team"\n    channel = "stable"\n    requires = "dep/1.2.11"\n' \
    > app/conanfile.py
  (conan profile detect && conan create dep && conan create app) > create.log 2>&1
  says "$(conan --version | sed 's/ version//')"
  if [ "$name" = conan ]; then
    conan list '*' 2> /dev/null | sed -n 's/^    \([^ /]*\)\/\([^@ ]*\).*/\1 \2/p'
  else
    conan lock create app --lockfile-out "$tree/conan.lock" > lock.log 2>&1
    echo 'dep 1.2.11'
  fi
  ;;
conda)
  mkdir -p pkg/info pkg/share chan/noarch chan/linux-64
  echo hello > pkg/share/f
  echo '{"name":"demo","version":"1.0","build":"py_0","build_number":0,"noarch":"generic","subdir":"noarch","license":"MIT","depends":[]}' \
    > pkg/info/index.json
  echo share/f > pkg/info/files
  printf '{"paths":[{"_path":"share/f","path_type":"hardlink","sha256":"%s","size_in_bytes":6}],"paths_version":1}' \
    "$(sha256sum pkg/share/f | cut -d' ' -f1)" > pkg/info/paths.json
  tar -cjf chan/noarch/demo-1.0-py_0.tar.bz2 -C pkg info share
  cat > make.py <<'END'
import asyncio, pathlib, sys
from rattler import Channel, PrefixRecord, index, install, solve
base = pathlib.Path('.').resolve()
env = pathlib.Path(sys.argv[1])
async def main():
    await index.index_fs(base / 'chan')
    records = await solve(sources=[Channel((base / 'chan').as_uri())], specs=['demo'])
    await install(records, target_prefix=str(env), cache_dir=str(base / 'cache'), show_progress=False)
asyncio.run(main())
for one in env.joinpath('conda-meta').glob('*.json'):
    record = PrefixRecord.from_path(one)
    print(record.name.normalized, record.version)
END
  says "rattler $("$tools/pip/bin/pip" show py-rattler | sed -n 's/^Version: //p')"
  "$tools/pip/bin/python" make.py "$tree/opt/conda"
  ;;
r)
  mkdir -p zoo/R "$tree/usr/lib/R/site-library"
  printf 'Package: zoo\nVersion: 1.8-12\nTitle: Zoo\nLicense: GPL-2\nDescription: d.\nAuthor: a\nMaintainer: a <a@example.com>\n' \
    > zoo/DESCRIPTION
  echo 'export(f)' > zoo/NAMESPACE
  echo 'f <- function() 1' > zoo/R/f.R
  R=$debs/usr/lib/R/bin/R lib=$debs/usr/lib
  export LD_LIBRARY_PATH="$lib/R/lib:$lib/x86_64-linux-gnu:$lib/x86_64-linux-gnu/blas:$lib/x86_64-linux-gnu/lapack"
  "$R" CMD INSTALL --library="$tree/usr/lib/R/site-library" zoo > install.log 2>&1
  says "$("$R" --version | sed -n 's/R version \([0-9.]*\).*/R \1/p')"
  "$R" --no-echo --no-save -e "x <- installed.packages(lib.loc='$tree/usr/lib/R/site-library'); cat(x[,'Package'], x[,'Version'])"
  ;;
wordpress)
  # The distribution's own package of WordPress: a plugin that it ships, as its authors wrote it.
  mkdir -p "$tree/usr/share/wordpress/wp-content"
  cp -r "$debs/usr/share/wordpress/wp-content/plugins" "$tree/usr/share/wordpress/wp-content"
  says 'the wordpress package of Debian'
  sed -n 's/^Stable tag: /akismet /p' "$tree/usr/share/wordpress/wp-content/plugins/akismet/readme.txt" | tr -d '\r'
  ;;
jvm)
  home=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
  mkdir -p "$tree$home"
  cp "$(readlink -f "$home/release")" "$tree$home/release"
  says 'the openjdk package of Debian'
  echo "openjdk $(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.runtime.version = //p')"
  ;;
binary)
  mkdir -p "$tree/usr/local/bin"
  cp "$(command -v node)" "$tree/usr/local/bin/node"
  says 'node itself'
  echo "node $(node --version | tr -d v)"
  ;;
npm-lock)
  javascript
  (cd "$tree" && npm install -q --package-lock-only --ignore-scripts > "$work/install.log" 2>&1)
  says "npm $(npm --version)"
  printf 'app 1.0.0\nis-number 6.0.0\nis-odd 3.0.1\n'
  ;;
yarn-lock)
  javascript
  (cd "$tree" && "$tools/npm/node_modules/.bin/yarn" install --silent --ignore-scripts --cache-folder "$work/cache" > "$work/install.log" 2>&1)
  says "Yarn $("$tools/npm/node_modules/.bin/yarn" --version)"
  (cd "$tree" && "$tools/npm/node_modules/.bin/yarn" list --silent --no-progress | sed -n 's/^.─ \(.*\)@\([^@]*\)$/\1 \2/p')
  rm -rf "$tree/node_modules"
  ;;
pnpm-lock)
  javascript
  (cd "$tree" && "$tools/npm/node_modules/.bin/pnpm" install --lockfile-only --ignore-scripts --store-dir "$work/store" > "$work/install.log" 2>&1)
  says "pnpm $("$tools/npm/node_modules/.bin/pnpm" --version)"
  printf 'is-number 6.0.0\nis-odd 3.0.1\n'
  ;;
bun-lock)
  javascript
  (cd "$tree" && "$tools/npm/node_modules/.bin/bun" install --lockfile-only --ignore-scripts > "$work/install.log" 2>&1)
  says "Bun $("$tools/npm/node_modules/.bin/bun" --version)"
  printf 'is-number 6.0.0\nis-odd 3.0.1\n'
  ;;
deno-lock)
  javascript
  (cd "$tree" && DENO_DIR=$work/cache "$tools/npm/node_modules/.bin/deno" install > "$work/install.log" 2>&1)
  says "$("$tools/npm/node_modules/.bin/deno" --version | sed -n 's/^deno \([0-9.]*\).*/Deno \1/p')"
  printf 'is-number 6.0.0\nis-odd 3.0.1\n'
  rm -rf "$tree/node_modules"
  ;;
python-lock)
  python_project
  (cd "$tree" && "$tools/pip/bin/uv" lock -q)
  says "$("$tools/pip/bin/uv" --version | cut -d' ' -f1,2)"
  (cd "$tree" && "$tools/pip/bin/uv" export -q --no-hashes --no-emit-project --no-header --no-annotate | sed 's/==/ /')
  ;;
pipfile-lock)
  printf '[packages]\nidna = "==3.10"\n' > "$tree/Pipfile"
  export PIPENV_IGNORE_VIRTUALENVS=1 WORKON_HOME="$work/venvs" PATH="$tools/pip/bin:$PATH"
  (cd "$tree" && pipenv lock > "$work/lock.log" 2>&1)
  says "$(pipenv --version | sed 's/, version//')"
  (cd "$tree" && pipenv requirements 2> /dev/null | sed -n 's/^\([a-z].*\)==\([^;]*\).*/\1 \2/p')
  ;;
requirements)
  pip install -q --no-deps --no-compile --target site idna==3.10 > install.log 2>&1
  pip freeze --path site > "$tree/requirements.txt"
  says "pip $(pip --version | sed 's/pip \([0-9.]*\).*/\1/')"
  pip list --path site --format freeze 2> /dev/null | sed 's/==/ /'
  ;;
gemfile-lock)
  gem_home "$work/gems"
  printf 'source "https://example.com"\ngem "demo", "1.2.3"\n' > "$tree/Gemfile"
  export GEM_HOME="$work/gems" GEM_PATH="$work/gems"
  bundler=$(echo "$debs"/usr/share/rubygems-integration/all/gems/bundler-*/lib)
  (cd "$tree" && ruby -I "$debs/usr/lib/ruby/vendor_ruby" -I "$bundler" "$debs/usr/bin/bundle" lock --local > "$work/lock.log" 2>&1)
  says "Bundler $(sed -n '/BUNDLED WITH/{n;s/ *//p;}' "$tree/Gemfile.lock")"
  gem list --local demo | sed -n 's/^\(.*\) (\(.*\))$/\1 \2/p'
  ;;
mix-lock)
  git_dependency
  erlang
  printf 'defmodule A.MixProject do\n  use Mix.Project\n  def project, do: [app: :a, version: "0.1.0", deps: [{:dep, git: "file://%s/dep", tag: "v1", compile: false, app: false}]]\nend\n' \
    "$work" > "$tree/mix.exs"
  (cd "$tree" && mix deps.get > "$work/get.log" 2>&1)
  rm -rf "$tree/deps"
  says "$(mix --version | sed -n 's/^Mix \([0-9.]*\).*/Mix \1/p')"
  echo "dep $(git -C dep rev-parse HEAD)"
  ;;
rebar-lock)
  git_dependency
  erlang
  mkdir -p "$tree/src"
  printf '{application, app, [{vsn, "1.0.0"}]}.\n' > "$tree/src/app.app.src"
  printf '{deps, [{dep, {git, "file://%s/dep", {tag, "v1"}}}]}.\n' "$work" > "$tree/rebar.config"
  (cd "$tree" && escript "$debs/usr/bin/rebar3" lock > "$work/lock.log" 2>&1)
  rm -rf "$tree/_build"
  says "$(escript "$debs/usr/bin/rebar3" --version | sed -n 's/^\(rebar\) \([0-9.]*\).*/rebar3 \2/p')"
  echo "dep $(git -C dep rev-parse HEAD)"
  ;;
linux-kernel)
  # The distribution's own kernel, and what kmod says of its modules.
  cp -r "$tools/kernel/tree/boot" "$tools/kernel/tree/lib" "$tree"
  says "the linux-image package of Debian, $("$tools/kernel/modinfo" --version | sed -n '1s/ version / /p')"
  echo "linux-kernel $(ls "$tree/lib/modules")"
  find "$tree/lib/modules" -name '*.ko' -exec "$tools/kernel/modinfo" {} + |
    awk '/^filename:/ { if (name) print name " " version; name = version = "" }
      /^name:/ { name = $2 } /^version:/ { sub(/^version: */, ""); version = $0 }
      END { print name " " version }'
  ;;
*)
  echo "no tree for $name" >&2
  exit 3
  ;;
esac
