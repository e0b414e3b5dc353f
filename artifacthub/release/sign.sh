#!/bin/sh
# Signs what collect.sh put together: the checksums, which stand for every file, the policy by itself, and the statement
# of where they come from. Each signature is a bundle beside its file.
#
#   sh artifacthub/release/sign.sh FOLDER
#
# With COSIGN_KEY, that key signs, and nothing leaves this machine; COSIGN_PASSWORD opens it, and the other half of the
# pair, which verifies, is left beside the files as cosign.pub. Without, cosign asks the identity provider of the workflow
# that runs this (keyless), and enters the signature in the public log.
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
