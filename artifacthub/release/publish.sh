#!/bin/sh
# Publishes the output of collect.sh and `make image`: the policy with its bill of materials, the image and the chart. Signs
# each, and prints their digest references.
#
#   sh artifacthub/release/publish.sh DIRECTORY IMAGE PROGRAM REGISTRY/OWNER
#
# IMAGE is an OCI image layout, PROGRAM a `sqledge-ha` that runs on this machine. Logins are those of `docker login`.
# COSIGN_KEY and COSIGN_PASSWORD are as for sign.sh. With PLAIN_HTTP=yes, connections have no TLS.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/target/tools/bin
directory=$1
image=$2
program=$3
owner=$4
version=$(sh "$root/artifacthub/release/check.sh")
# The commit of the build, which may not be checked out any more.
commit=$(sed -n 's/.*"gitCommit": "\([0-9a-f]*\)".*/\1/p' "$directory/provenance.json")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

with_plain_http() { [ "${PLAIN_HTTP:-}" != yes ] || echo "$1"; }

# The options of all calls of cosign.
if [ -n "${COSIGN_KEY:-}" ]; then
    set -- --key "$COSIGN_KEY" --use-signing-config=false --tlog-upload=false
else
    set --
fi
# shellcheck disable=SC2046 # zero or one word
set -- --yes "$@" $(with_plain_http --allow-http-registry)

# Signs twice: in cosign's current format, and with a tag as Kubewarden's verification expects it.
sign() {
    signed=$1
    shift
    "$tools/cosign" sign "$@" "$signed" >&2
    [ -n "${COSIGN_KEY:-}" ] || set -- "$@" --use-signing-config=false
    "$tools/cosign" sign "$@" --new-bundle-format=false "$signed" >&2
    echo "$signed"
}

# shellcheck disable=SC2046
policy=$("$program" policy push "$owner/policies/sqledge-ha:v$version" --module "$directory/policy.wasm" \
    --revision "$commit" $(with_plain_http --plain-http))
"$tools/cosign" attest "$@" --type cyclonedx --predicate "$directory/policy.cdx.json" "$policy" >&2
sign "$policy" "$@"

# shellcheck disable=SC2046
pushed=$("$tools/crane" push --index $(with_plain_http --insecure) "$image" "$owner/sqledge-ha:v$version")
sign "$pushed" "$@"

"$tools/helm" package "$root/artifacthub/chart" --destination "$work" >&2
# shellcheck disable=SC2046
"$tools/helm" push "$work/sqledge-ha-$version.tgz" "oci://$owner/charts" $(with_plain_http --plain-http) >"$work/pushed" 2>&1 ||
    { cat "$work/pushed" >&2; exit 1; }
digest=$(sed -n 's/^Digest: *//p' "$work/pushed")
sign "$owner/charts/sqledge-ha@$digest" "$@"

# The metadata for Artifact Hub, at a special tag of the chart.
# shellcheck disable=SC2046
"$tools/cosign" upload blob $(with_plain_http --allow-http-registry) \
    --ct application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml \
    --files "$root/artifacthub/artifacthub-repo-chart.yml" "$owner/charts/sqledge-ha:artifacthub.io" >&2
