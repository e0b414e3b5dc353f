#!/bin/sh
# Checks that all files have the same version, and that the changelog has a section for it.
#
#   sh artifacthub/release/check.sh [TAG]
set -eu

cd "$(dirname "$0")/../.."
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
wrong=

# expect FILE LINE: the file must contain the line.
expect() {
    grep -qxF -- "$2" "$1" || { echo "$1: missing line \`$2\`" >&2; wrong=yes; }
}

if [ $# -gt 0 ] && [ "$1" != "v$version" ]; then
    echo "the tag is $1, but Cargo.toml has version $version" >&2
    wrong=yes
fi
expect policy/metadata.yml "  io.kubewarden.policy.version: $version"
expect artifacthub/artifacthub-pkg.yml "version: \"$version\""
expect artifacthub/chart/Chart.yaml "version: \"$version\""
expect artifacthub/chart/Chart.yaml "appVersion: \"$version\""
expect artifacthub/chart/Chart.yaml "      image: ghcr.io/sqledge-ha/sqledge-ha:v$version"
expect pyproject.toml "version = \"$version\""
expect pyproject.toml "dependencies = [\"sqledge-ha==$version\"]"
grep -q "^## \[$version\]" CHANGELOG.md || { echo "CHANGELOG.md: missing section \`## [$version]\`" >&2; wrong=yes; }
[ -z "$wrong" ] || exit 1
echo "$version"
