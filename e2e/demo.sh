#!/bin/sh
# Shows the main features: lints manifests, mutates a Deployment at admission with the module and the webhook, and audits a
# small cluster of the tests if it is already built.
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
trap 'kill $webhook 2>/dev/null || :; rm -rf "$log"' EXIT
until address="$(sed -n 's/.*listening for reviews.*address=\([0-9.:]*\).*/\1/p' "$log")" && [ -n "$address" ]; do
    kill -0 $webhook 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.1
done
printf '$ curl --json @deployment-review.json http://%s/mutate     # the decoded patch\n' "$address"
curl --silent --show-error --header 'Content-Type: application/json' --data @deployment-review.json \
    "http://$address/mutate" | patch

cluster=../../target/tools/bin/e2e-cluster
if [ ! -x "$cluster" ]; then
    printf '\nThe objects of a cluster, in files:\n'
    show audit --no-config --from ../audit/shop
    exit
fi
printf '\nA cluster of the tests, with the databases of two examples:\n'
folder="$(mktemp -d)"
mkfifo "$folder/input"
# It stops when its standard input is closed.
"$cluster" serve <"$folder/input" >"$folder/output" 2>/dev/null &
exec 3>"$folder/input"
trap 'exec 3>&-; kill $webhook 2>/dev/null || :; wait; rm -rf "$log" "$folder"' EXIT
until KUBECONFIG="$(sed -n 's/.*"kubeconfig":"\([^"]*\)".*/\1/p' "$folder/output")" && [ -n "$KUBECONFIG" ]; do
    sleep 0.5
done
export KUBECONFIG
"$cluster" kubectl apply -f right.yaml -f empty-dir.yaml
"$cluster" kubectl wait --for=condition=Available --timeout=60s deployment --all >/dev/null
show audit --no-config
