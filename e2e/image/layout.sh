#!/bin/sh
# Writes the container image as an OCI image layout, without a daemon and without anything from a registry: the same one
# layer as the Containerfile makes, with a static program. The same input gives the same bytes, whenever and wherever.
# Copy it with what you like: `skopeo copy --all oci:FOLDER:vVERSION docker://…`, `crane push --index FOLDER …`.
# https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
#
# Usage: e2e/image/layout.sh FOLDER ARCHITECTURE=PROGRAM…        GNU tar, gzip and coreutils are needed.
# SOURCE_DATE_EPOCH is when it was made, in seconds; it has no time of its own. CA_CERTIFICATES is whom to trust when the
# module comes from a registry: this machine's, unless it names another bundle. REVISION is the commit of the programs.
set -eu
root="$(cd "$(dirname "$0")/../.." && pwd)"
epoch="${SOURCE_DATE_EPOCH:-0}"
created="$(date --utc --date="@$epoch" +%Y-%m-%dT%H:%M:%SZ)"
oci=application/vnd.oci.image
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

folder="$1"
shift
if [ -e "$folder" ] && ! [ -f "$folder/oci-layout" ]; then
    echo "$folder is there, and is no image" >&2
    exit 1
fi
rm -rf "$folder"
mkdir -p "$folder/blobs/sha256"
printf '{"imageLayoutVersion":"1.0.0"}' >"$folder/oci-layout"

# What the module says of itself.
annotation() {
    sed -n "s/^  io\.kubewarden\.policy\.$1: //p" "$root/policy/metadata.yml"
}

digest() {
    sha256sum "$1" | cut -c 1-64
}

# Keeps a file by its digest, and describes it: blob FILE MEDIA-TYPE [MORE-MEMBERS]
blob() {
    digest="$(digest "$1")"
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s%s}' "$2" "$digest" "$(stat --format=%s "$1")" "${3:-}"
    mv "$1" "$folder/blobs/sha256/$digest"
}

# One layer with files that belong to root, and that nobody may change.
layer() {
    rm -rf "$scratch/layer"
    mkdir "$scratch/layer"
    install -m 0555 "$1" "$scratch/layer/sqledge-ha"
    install -m 0444 "$root/LICENSE" "$scratch/layer/LICENSE"
    install -D -m 0444 "${CA_CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}" \
        "$scratch/layer/etc/ssl/certs/ca-certificates.crt"
    tar --create --file="$scratch/layer.tar" --directory="$scratch/layer" --format=ustar --sort=name \
        --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=a-w --no-recursion \
        LICENSE etc/ssl/certs/ca-certificates.crt sqledge-ha
    diff_id="$(digest "$scratch/layer.tar")"
    gzip -9 --no-name "$scratch/layer.tar"
}

labels() {
    printf '"org.opencontainers.image.description":"%s",' "$(annotation description)"
    printf '"org.opencontainers.image.licenses":"%s",' "$(annotation license)"
    [ -z "${REVISION:-}" ] || printf '"org.opencontainers.image.revision":"%s",' "$REVISION"
    printf '"org.opencontainers.image.source":"%s",' "$(annotation source)"
    printf '"org.opencontainers.image.title":"%s",' "$(annotation title)"
    printf '"org.opencontainers.image.version":"%s"' "$version"
}

version="$(annotation version)"
manifests=""
for program in "$@"; do
    architecture="${program%%=*}"
    layer "${program#*=}"
    layer="$(blob "$scratch/layer.tar.gz" "$oci.layer.v1.tar+gzip")"
    printf '{"created":"%s","architecture":"%s","os":"linux","config":{"User":"65532:65532","Entrypoint":["/sqledge-ha"],"Labels":{%s}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$created" "$architecture" "$(labels)" "$diff_id" >"$scratch/config"
    config="$(blob "$scratch/config" "$oci.config.v1+json")"
    printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s],"annotations":{%s}}' \
        "$oci.manifest.v1+json" "$config" "$layer" "$(labels)" >"$scratch/manifest"
    platform="$(printf ',"platform":{"architecture":"%s","os":"linux"}' "$architecture")"
    manifests="$manifests${manifests:+,}$(blob "$scratch/manifest" "$oci.manifest.v1+json" "$platform")"
done
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s],"annotations":{%s}}' \
    "$oci.index.v1+json" "$manifests" "$(labels)" >"$scratch/index"
name="$(printf ',"annotations":{"org.opencontainers.image.ref.name":"v%s"}' "$version")"
index="$(blob "$scratch/index" "$oci.index.v1+json" "$name")"
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}' "$oci.index.v1+json" "$index" >"$folder/index.json"
printf '%s: v%s, %s\n' "$folder" "$version" "$(sed 's/.*\(sha256:[0-9a-f]*\).*/\1/' "$folder/index.json")"
