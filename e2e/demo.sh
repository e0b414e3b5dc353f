#!/bin/sh
# The main job on real input: find what is wrong in manifests, and let the module mend a Deployment at admission.
# Usage: e2e/demo.sh PATH-OF-SQLEDGE-HA
set -eu
command="$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
cd "$(dirname "$0")/examples"

show() {
    printf '\n$ sqledge-ha %s\n' "$*"
    status=0
    "$command" "$@" || status=$?
    printf '[exit code %s]\n' "$status"
}

for manifest in *.yaml; do
    show lint "$manifest"
done
show explain persistent-data
show review deployment-review.json

printf '\nThe patch in it, decoded:\n'
"$command" review deployment-review.json | sed -n 's/^ *"patch": "\(.*\)",*$/\1/p' | base64 -d
printf '\n'
