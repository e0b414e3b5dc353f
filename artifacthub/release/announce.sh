#!/bin/sh
# Writes what Artifact Hub reads of this version into a folder: the branch `artifacthub`, whose newest commit it looks at.
# Other versions that are there stay. Nothing is committed nor sent.
# https://artifacthub.io/docs/topics/repositories/kubewarden-policies
#
#   sh artifacthub/release/announce.sh FOLDER
set -eu

[ $# -eq 1 ] || { sed -n '6p' "$0" >&2; exit 2; }
folder=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sh "$root/artifacthub/release/check.sh")
package="$folder/sqledge-ha/$version"

mkdir -p "$package"
cp "$root/artifacthub/artifacthub-repo.yml" "$folder/"
cp "$root/artifacthub/artifacthub-pkg.yml" "$package/"
cp "$root/policy/USAGE.md" "$package/README.md"
