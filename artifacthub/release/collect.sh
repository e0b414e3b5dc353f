#!/bin/sh
# Collects the files of a release: the policy, the command for each target, its manifest for Krew, packages, bills of
# materials, checksums and provenance. sign.sh signs them.
#
#   sh artifacthub/release/collect.sh DIRECTORY TARGET=PROGRAM... [--lint-only TARGET=PROGRAM...]
#
# The playground is target/playground/sqledge-ha-playground.html, unless PLAYGROUND names another file: `make playground` builds it.
# Packages have the programs after `--lint-only`; see packages.sh. The policy is from the first other program that runs on
# this machine. Archives are reproducible. DIRECTORY is replaced if it is empty or a release. Uncommitted changes are an error,
# because the programs may contain them, unless ALLOW_DIRTY=yes.
set -eu

[ $# -ge 2 ] || { sed -n '5p' "$0" >&2; exit 2; }
directory=$1
shift
here=$(dirname "$0")
root=$(cd "$here/../.." && pwd)
tools="$root/target/tools/bin"
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
commit=$(git -C "$root" rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

if [ "${ALLOW_DIRTY:-}" != yes ] && [ -n "$(git -C "$root" status --porcelain --untracked-files=no)" ]; then
    echo "uncommitted changes are not part of $commit" >&2
    git -C "$root" status --short --untracked-files=no >&2
    exit 1
fi
if [ -n "$(ls -A "$directory" 2>/dev/null)" ] && ! grep -q '  policy\.wasm$' "$directory/SHA256SUMS" 2>/dev/null; then
    echo "$directory exists and is not a release" >&2
    exit 1
fi
playground=${PLAYGROUND:-$root/target/playground/sqledge-ha-playground.html}
[ -f "$playground" ] || { echo "$playground does not exist: run \"make playground\"" >&2; exit 1; }
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dist=$work/dist
mkdir "$dist"

runnable= targets=
while [ $# -gt 0 ] && [ "$1" != --lint-only ]; do
    pair=$1
    shift
    target=${pair%%=*}
    program=${pair#*=}
    name="sqledge-ha-$version-$target"
    mkdir -p "$work/$name"
    cp "$program" "$work/$name/sqledge-ha"
    chmod 755 "$work/$name/sqledge-ha"
    cp -R "$root/LICENSE" "$root/README.md" "$root/docs" "$work/$name/"
    if [ -z "$runnable" ] && "$program" --version >/dev/null 2>&1; then runnable=$program; fi
    # GNU tar with a fixed order and owner, and the time of the commit.
    tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
        -cf - "$name" | gzip -9n >"$dist/$name.tar.gz"
    targets="$targets $target"
done
[ -n "$runnable" ] || { echo "none of the programs runs on this machine" >&2; exit 1; }
"$runnable" policy wasm --output "$dist/policy.wasm" >/dev/null
# shellcheck disable=SC2086 # words
sh "$here/krew.sh" "$dist" $targets

if [ $# -gt 1 ]; then
    shift
    sh "$here/packages.sh" "$dist" "$@"
fi

cp "$playground" "$dist/sqledge-ha-playground.html"

# Bills of materials of the module and the command.
sh "$here/bill.sh" "$dist/policy.cdx.json" policy --features guest --target wasm32-unknown-unknown
sh "$here/bill.sh" "$dist/sqledge-ha.cdx.json" . --target x86_64-unknown-linux-musl
if [ $# -gt 0 ]; then
    sh "$here/bill.sh" "$dist/sqledge-ha-lint.cdx.json" . --no-default-features --target x86_64-unknown-linux-musl
fi

cd "$dist"
# Without itself and the provenance, which contains it.
sha256sum -- * | LC_ALL=C sort -k 2 >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
sh "$root/artifacthub/release/provenance.sh" "$version" "$commit" "$root" <SHA256SUMS >"$work/provenance.json"
mv "$work/provenance.json" .

rm -rf "$directory"
mv "$dist" "$directory"
