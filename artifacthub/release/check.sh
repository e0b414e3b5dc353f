#!/bin/sh
# Whether everything that names a version names the same one, and the changelog tells of it.
#
#   sh artifacthub/release/check.sh [TAG]
set -eu

cd "$(dirname "$0")/../.."
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
wrong=

# FILE, then the line that has to stand in it.
expect() {
    grep -qxF -- "$2" "$1" || { echo "$1: there is no line \`$2\`" >&2; wrong=yes; }
}

if [ $# -gt 0 ] && [ "$1" != "v$version" ]; then
    echo "the tag is $1, and Cargo.toml has version $version" >&2
    wrong=yes
fi
expect policy/metadata.yml "  io.kubewarden.policy.version: $version"
expect artifacthub/artifacthub-pkg.yml "version: \"$version\""
expect artifacthub/chart/Chart.yaml "version: \"$version\""
grep -q "^## \[$version\]" CHANGELOG.md || { echo "CHANGELOG.md: there is no section \`## [$version]\`" >&2; wrong=yes; }
[ -z "$wrong" ] || exit 1
echo "$version"
