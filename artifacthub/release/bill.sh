#!/bin/sh
# Writes the bill of materials of a package in the CycloneDX format.
#
#   sh artifacthub/release/bill.sh FILE MANIFEST [OPTION]...      options of cargo-cyclonedx
#
# The output is reproducible: SOURCE_DATE_EPOCH is its time, and it has no serial number.
set -eu

file=$1
manifest=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
# The tool writes beside the manifests. The process id allows several at a time.
name=bill-of-materials-$$
# The tool writes a file for every member of the workspace.
trap 'rm -f "$root/$name.json" "$root/policy/$name.json"' EXIT
"$root/target/tools/bin/cargo-cyclonedx" cyclonedx --quiet --manifest-path "$manifest" --format json --spec-version 1.5 \
    --no-build-deps --override-filename "$name" "$@"
# Remove the local path of the sources.
sed "s#path+file://$root#path+file://.#g" "$(dirname "$manifest")/$name.json" >"$file"
