#!/bin/sh
# Makes an OCI layout of real Debian packages without a container engine.
# Usage (as root, on Debian or Ubuntu with debootstrap): demo/debian-image.sh OUTDIR [SUITE [MIRROR]]
# Then: npm run demo -- --image oci:OUTDIR
# EXTRA=pkg,pkg adds packages; ROOTFS=DIR takes a root that debootstrap made before.
set -eu
out=$1
suite=${2:-bookworm}
mirror=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=${ROOTFS:-$work/root}
[ -n "${ROOTFS:-}" ] ||
  debootstrap --variant=minbase --include="${EXTRA:-ca-certificates,curl,openssl}" "$suite" "$root" ${mirror:+"$mirror"}
mkdir -p "$out/blobs/sha256"

# put FILE: stores a blob, prints its digest in hex.
put() {
  hex=$(sha256sum "$1" | cut -d' ' -f1)
  cp "$1" "$out/blobs/sha256/$hex"
  echo "$hex"
}
pack() { tar --sort=name --numeric-owner --mtime=@0 --one-file-system -C "$1" -cf "$2" .; }
size() { wc -c <"$1" | tr -d ' '; }

# Layer 1: the root. Layer 2: whiteouts for what a slim image drops, and a file of its own.
pack "$root" "$work/1.tar"
mkdir -p "$work/upper/var/cache/apt" "$work/upper/var/lib/apt" "$work/upper/srv"
: >"$work/upper/var/cache/apt/.wh.archives"
: >"$work/upper/var/lib/apt/.wh.lists"
echo 'an image made by demo/debian-image.sh' >"$work/upper/srv/README"
pack "$work/upper" "$work/2.tar"
diff1=$(sha256sum "$work/1.tar" | cut -d' ' -f1)
diff2=$(sha256sum "$work/2.tar" | cut -d' ' -f1)
gzip -n -6 "$work/1.tar" "$work/2.tar"
layer1=$(put "$work/1.tar.gz")
layer2=$(put "$work/2.tar.gz")

arch=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
cat >"$work/config.json" <<EOF
{"architecture":"$arch","os":"linux","config":{"Cmd":["/bin/bash"]},"rootfs":{"type":"layers","diff_ids":["sha256:$diff1","sha256:$diff2"]},"history":[{"created_by":"debootstrap $suite"},{"created_by":"slim"}]}
EOF
config=$(put "$work/config.json")
type=application/vnd.oci.image
cat >"$work/manifest.json" <<EOF
{"schemaVersion":2,"mediaType":"$type.manifest.v1+json","config":{"mediaType":"$type.config.v1+json","digest":"sha256:$config","size":$(size "$work/config.json")},"layers":[{"mediaType":"$type.layer.v1.tar+gzip","digest":"sha256:$layer1","size":$(size "$work/1.tar.gz")},{"mediaType":"$type.layer.v1.tar+gzip","digest":"sha256:$layer2","size":$(size "$work/2.tar.gz")}]}
EOF
manifest=$(put "$work/manifest.json")
cat >"$out/index.json" <<EOF
{"schemaVersion":2,"mediaType":"$type.index.v1+json","manifests":[{"mediaType":"$type.manifest.v1+json","digest":"sha256:$manifest","size":$(size "$work/manifest.json"),"annotations":{"org.opencontainers.image.ref.name":"latest"},"platform":{"architecture":"$arch","os":"linux"}}]}
EOF
echo '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
echo "oci:$out holds sha256:$manifest"
