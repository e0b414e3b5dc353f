#!/bin/sh
# Shows the main features: lints manifests, and mutates a Deployment at admission with the module and the webhook.
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

# Decodes the patch in an AdmissionReview.
patch() {
    sed -n 's/.*"patch": *"\([^"]*\)".*/\1/p' | base64 -d
    printf '\n'
}

for manifest in *.yaml; do
    show lint "$manifest"
done
show explain persistent-data
show review deployment-review.json

printf '\nThe decoded patch:\n'
"$command" review deployment-review.json | patch

printf '\nThe same through the webhook (plain HTTP, on loopback only):\n'
log="$(mktemp)"
"$command" serve --insecure-http --no-cluster --listen 127.0.0.1:0 --health-listen 127.0.0.1:0 --drain 0s 2>"$log" &
webhook=$!
trap 'kill $webhook 2>/dev/null || :; rm -f "$log"' EXIT
until address="$(sed -n 's/.*listening for reviews.*address=\([0-9.:]*\).*/\1/p' "$log")" && [ -n "$address" ]; do
    kill -0 $webhook 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.1
done
printf '$ curl --json @deployment-review.json http://%s/mutate     # the decoded patch\n' "$address"
curl --silent --show-error --header 'Content-Type: application/json' --data @deployment-review.json \
    "http://$address/mutate" | patch
