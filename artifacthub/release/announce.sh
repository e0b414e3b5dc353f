#!/bin/sh
# Writes the files of this version for Artifact Hub into a directory: a checkout of the branch `artifacthub`, whose newest
# commit Artifact Hub reads. Keeps other versions. Does not commit or push.
# https://artifacthub.io/docs/topics/repositories/kubewarden-policies
#
#   sh artifacthub/release/announce.sh DIRECTORY
set -eu

[ $# -eq 1 ] || { sed -n '6p' "$0" >&2; exit 2; }
directory=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sh "$root/artifacthub/release/check.sh")
package="$directory/sqledge-ha/$version"

mkdir -p "$package"
cp "$root/artifacthub/artifacthub-repo.yml" "$directory/"
cp "$root/artifacthub/artifacthub-pkg.yml" "$package/"
cp "$root/policy/USAGE.md" "$package/README.md"
