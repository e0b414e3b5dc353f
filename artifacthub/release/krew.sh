#!/bin/sh
# Writes the manifest for Krew, the plugin manager of kubectl, next to the archives of the whole program that it names.
# https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/
#
#   sh artifacthub/release/krew.sh DIRECTORY TARGET...
set -eu

[ $# -ge 2 ] || { sed -n '5p' "$0" >&2; exit 2; }
directory=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
releases=https://github.com/sqledge-ha/sqledge-ha/releases/download
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for target in "$@"; do
    case $target in
    x86_64-*-linux-*) processor=amd64 ;;
    aarch64-*-linux-*) processor=arm64 ;;
    *) echo "no plugin for $target" >&2; exit 1 ;;
    esac
    name=sqledge-ha-$version-$target
    cat <<END
    - selector:
        matchLabels: {os: linux, arch: $processor}
      uri: $releases/v$version/$name.tar.gz
      sha256: $(sha256sum "$directory/$name.tar.gz" | cut -d ' ' -f 1)
      files:
        - {from: $name/sqledge-ha, to: .}
        - {from: $name/LICENSE, to: .}
      bin: sqledge-ha
END
done >"$work/platforms"
sed -e "s/@VERSION@/$version/g" -e "/@PLATFORMS@/{r $work/platforms" -e 'd;}' "$root/artifacthub/krew/sqledge-ha.yaml" \
    >"$directory/kubectl-sqledge_ha.yaml"
