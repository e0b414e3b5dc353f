#!/bin/sh
# Signs the output of collect.sh: the checksums of all files, the policy, and the provenance. Each signature is a bundle
# beside its file.
#
#   sh artifacthub/release/sign.sh DIRECTORY
#
# With COSIGN_KEY, signs with that key without network access. COSIGN_PASSWORD is its password; the public key is written to
# cosign.pub. Without COSIGN_KEY, signs with the identity of the workflow (keyless), and adds the signature to the public log.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cosign=${COSIGN:-$root/target/tools/bin/cosign}
cd "$1"

if [ -n "${COSIGN_KEY:-}" ]; then
    set -- --key "$COSIGN_KEY" --use-signing-config=false --tlog-upload=false
else
    set --
fi
for file in SHA256SUMS policy.wasm; do
    "$cosign" sign-blob --yes "$@" --bundle "$file.sigstore.json" "$file" >/dev/null
done
"$cosign" attest-blob --yes "$@" --statement provenance.json --bundle provenance.sigstore.json >/dev/null
if [ -n "${COSIGN_KEY:-}" ]; then
    "$cosign" public-key --key "$COSIGN_KEY" --outfile cosign.pub >/dev/null
fi
