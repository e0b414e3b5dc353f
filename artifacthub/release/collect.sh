#!/bin/sh
# Puts together what a release consists of: the policy, the command for each target, bills of materials, checksums and
# a statement of where all of it comes from. Nothing is signed yet: that is sign.sh.
#
#   sh artifacthub/release/collect.sh FOLDER TARGET=PROGRAM...
#
# The policy is taken from the first program that runs here. Packed files are the same whenever they are packed. FOLDER is
# replaced as a whole, if it is a release or empty. What is not committed could be in the programs: with it there is no
# release, unless ALLOW_DIRTY=yes.
set -eu

[ $# -ge 2 ] || { sed -n '5p' "$0" >&2; exit 2; }
folder=$1
shift
here=$(dirname "$0")
root=$(cd "$here/../.." && pwd)
tools="$root/target/tools/bin"
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
commit=$(git -C "$root" rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

if [ "${ALLOW_DIRTY:-}" != yes ] && [ -n "$(git -C "$root" status --porcelain --untracked-files=no)" ]; then
    echo "something is not committed, which a release would pass off as $commit" >&2
    git -C "$root" status --short --untracked-files=no >&2
    exit 1
fi
if [ -n "$(ls -A "$folder" 2>/dev/null)" ] && ! grep -q '  policy\.wasm$' "$folder/SHA256SUMS" 2>/dev/null; then
    echo "$folder is there, and is no release" >&2
    exit 1
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dist=$work/dist
mkdir "$dist"

runnable=
for pair in "$@"; do
    target=${pair%%=*}
    program=${pair#*=}
    name="sqledge-ha-$version-$target"
    mkdir -p "$work/$name"
    cp "$program" "$work/$name/sqledge-ha"
    chmod 755 "$work/$name/sqledge-ha"
    cp "$root/LICENSE" "$root/README.md" "$work/$name/"
    if [ -z "$runnable" ] && "$program" --version >/dev/null 2>&1; then runnable=$program; fi
    # GNU tar: order, owner and times are those of nobody and of the commit.
    tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
        -cf - "$name" | gzip -9n >"$dist/$name.tar.gz"
done
[ -n "$runnable" ] || { echo "none of these programs runs here: $*" >&2; exit 1; }
"$runnable" policy wasm --output "$dist/policy.wasm" >/dev/null

# Bills of materials, from cargo's own graph: what is in the module, and what is in the command.
sh "$here/bill.sh" "$dist/policy.cdx.json" "$root/policy/Cargo.toml" --features guest --target wasm32-unknown-unknown
sh "$here/bill.sh" "$dist/sqledge-ha.cdx.json" "$root/Cargo.toml" --target x86_64-unknown-linux-musl

cd "$dist"
# Not of itself, nor of what tells of all the others.
sha256sum -- * | LC_ALL=C sort -k 2 >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
sh "$root/artifacthub/release/provenance.sh" "$version" "$commit" "$root" <SHA256SUMS >"$work/provenance.json"
mv "$work/provenance.json" .

rm -rf "$folder"
mv "$dist" "$folder"
