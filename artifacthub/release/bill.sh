#!/bin/sh
# Writes the bill of materials of a package in the CycloneDX format.
#
#   sh artifacthub/release/bill.sh FILE DIRECTORY [OPTION]...      the package's directory in the workspace; options of
#                                                                 cargo-cyclonedx
#
# The output is reproducible: SOURCE_DATE_EPOCH is its time, and it has no serial number.
set -eu

file=$1
package=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A copy of the workspace: the tool writes a file beside every manifest. It has no documentation, whose members use
# features that the program can lack: features of all members count.
for entry in "$root"/*; do
    case ${entry##*/} in
    Cargo.* | docs | policy | target) ;;
    *) ln -s "$entry" "$work" ;;
    esac
done
cp -R "$root/Cargo.lock" "$root/policy" "$work"
sed 's#"docs/[a-z]*", ##g' "$root/Cargo.toml" >"$work/Cargo.toml"
"$root/target/tools/bin/cargo-cyclonedx" cyclonedx --quiet --manifest-path "$work/$package/Cargo.toml" --format json \
    --spec-version 1.5 --no-build-deps --override-filename bill-of-materials "$@"
# Remove the local path of the sources.
sed "s#path+file://$work#path+file://.#g" "$work/$package/bill-of-materials.json" >"$file"
