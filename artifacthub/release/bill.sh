#!/bin/sh
# Writes the bill of materials of a package, as CycloneDX.
#
#   sh artifacthub/release/bill.sh FILE MANIFEST [OPTION]...      options of cargo-cyclonedx
#
# The same graph gives the same file: SOURCE_DATE_EPOCH is its time, and it has no number of its own.
set -eu

file=$1
manifest=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
# Beside the manifests is where the tool writes; several may be at it.
name=bill-of-materials-$$
# It is written for every member of the workspace.
trap 'rm -f "$root/$name.json" "$root/policy/$name.json"' EXIT
"$root/target/tools/bin/cargo-cyclonedx" cyclonedx --quiet --manifest-path "$manifest" --format json --spec-version 1.5 \
    --no-build-deps --override-filename "$name" "$@"
# Where the sources lie here is nobody's business.
sed "s#path+file://$root#path+file://.#g" "$(dirname "$manifest")/$name.json" >"$file"
