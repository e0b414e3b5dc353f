#!/bin/sh
# Writes the files of this version for Artifact Hub into a directory, a checkout of the branch `artifacthub`. Keeps other
# versions. Does not commit or push. The date of the version is that of the commit.
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
created=$(TZ=UTC git -C "$root" log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)
printf 'createdAt: "%s"\n' "$created" | cat - "$root/artifacthub/artifacthub-pkg.yml" >"$package/artifacthub-pkg.yml"
cp "$root/policy/USAGE.md" "$package/README.md"
