#!/bin/sh
# Publishes what collect.sh and `make image` put together: the policy with its bill of materials, the image, and the
# chart, each signed. Prints the immutable reference of each.
#
#   sh artifacthub/release/publish.sh FOLDER IMAGE PROGRAM REGISTRY/OWNER
#
# IMAGE is an OCI image layout, PROGRAM a `sqledge-ha` that runs here. Credentials are those of `docker login`. COSIGN_KEY
# and COSIGN_PASSWORD as for sign.sh. With PLAIN_HTTP=yes the registry is spoken to without TLS.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/target/tools/bin
folder=$1
image=$2
program=$3
owner=$4
version=$(sh "$root/artifacthub/release/check.sh")
# What was built, whatever is checked out by now.
commit=$(sed -n 's/.*"gitCommit": "\([0-9a-f]*\)".*/\1/p' "$folder/provenance.json")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

over() { [ "${PLAIN_HTTP:-}" != yes ] || echo "$1"; }

# What every call of cosign has in common.
if [ -n "${COSIGN_KEY:-}" ]; then
    set -- --key "$COSIGN_KEY" --use-signing-config=false --tlog-upload=false
else
    set --
fi
# shellcheck disable=SC2046 # nothing, or one word
set -- --yes "$@" $(over --allow-http-registry)

# Twice: as cosign does it now, and as Kubewarden's own verification looks for it, by a tag beside what is signed.
sign() {
    signed=$1
    shift
    "$tools/cosign" sign "$@" "$signed" >&2
    [ -n "${COSIGN_KEY:-}" ] || set -- "$@" --use-signing-config=false
    "$tools/cosign" sign "$@" --new-bundle-format=false "$signed" >&2
    echo "$signed"
}

# shellcheck disable=SC2046
policy=$("$program" policy push "$owner/policies/sqledge-ha:v$version" --module "$folder/policy.wasm" \
    --revision "$commit" $(over --plain-http))
"$tools/cosign" attest "$@" --type cyclonedx --predicate "$folder/policy.cdx.json" "$policy" >&2
sign "$policy" "$@"

# shellcheck disable=SC2046
pushed=$("$tools/crane" push --index $(over --insecure) "$image" "$owner/sqledge-ha:v$version")
sign "$pushed" "$@"

"$tools/helm" package "$root/artifacthub/chart" --destination "$work" >&2
# shellcheck disable=SC2046
"$tools/helm" push "$work/sqledge-ha-$version.tgz" "oci://$owner/charts" $(over --plain-http) >"$work/pushed" 2>&1 ||
    { cat "$work/pushed" >&2; exit 1; }
digest=$(sed -n 's/^Digest: *//p' "$work/pushed")
sign "$owner/charts/sqledge-ha@$digest" "$@"

# What Artifact Hub looks for beside a chart: a tag of its own, which is no version.
# shellcheck disable=SC2046
"$tools/cosign" upload blob $(over --allow-http-registry) \
    --ct application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml \
    --files "$root/artifacthub/artifacthub-repo-chart.yml" "$owner/charts/sqledge-ha:artifacthub.io" >&2
